"""What happens in a step of a test, as records: events go the collector's way, so that names and types are as in the shop."""

from typing import Any

from app.clock import moment
from app.codec import encode_json
from app.model.catalogue import Change, ChangeKind
from app.model.chat import ChatCommand, ChatEvent, ChatKind, Speaker, client_key, command_key
from app.model.link import Changes, Offered
from app.topics import CHAT, CLICKSTREAM, LINKS
from app.trial.engine import MemoryEngine
from app.trial.language import Person, StepFile, Told
from app.web.collector.normalise import Envelope, normalise
from app.web.collector.refusal import Refused

CUSTOMER = "anna"
ADDRESS, PHONE = "anna@shop.example", "+4915112345678"
MANAGER = "777"
"""Id of the manager at the messenger; a member of the test's team has it as `telegram:shop:777`."""


class Actor:
    """The customer, the manager and the providers of one test."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self._ids = 0

    def act(self, step: StepFile) -> str:
        """Let it happen. Returns why it could not, or nothing."""
        try:
            if step.event:
                told = {"type": "track", "event": step.event, "properties": step.properties}
                self._event("browser", step, **told, userId=step.by or CUSTOMER)
            elif step.page:
                told = {"type": "page", "name": step.page, "properties": step.properties}
                self._event("browser", step, **told, userId=step.by or CUSTOMER)
            elif step.identify is not None:
                self.identify(step.identify)
        except Refused as error:
            return f"the collector refuses this event: {error.reason.value} ({error.detail})"
        if step.chat is not None:
            self._chat(step)
        elif step.press is not None:
            return self._press(step)
        elif step.catalogue is not None:
            self._changed(step.catalogue)
        elif step.receipt is not None:
            if not self._engine.triggers:
                return "there is no message yet that a receipt could be about"
            self._engine.receipt(self._engine.triggers[-1], step.receipt)
        return ""

    def identify(self, person: Person) -> None:
        """Tell the shop who the customer is."""
        fields = ("email", "phone", "name", "first_name", "locale", "timezone", "city")
        traits: dict[str, Any] = {name: getattr(person, name) for name in fields if getattr(person, name)}
        traits |= person.traits
        traits["consent"] = dict.fromkeys(person.consent, True)
        self._event("server", type="identify", traits=traits)

    def _event(self, source: str, step: StepFile | None = None, **event: Any) -> None:
        now = self._engine.clock.now()
        if step is not None and step.device:
            event["context"] = {"device": {"type": step.device}}
        envelope = Envelope(now, source)
        told = {"userId": CUSTOMER, "messageId": self._id("e"), "timestamp": moment(now).isoformat(), **event}
        accepted = normalise(told, "", envelope)
        self._engine.record(CLICKSTREAM.name, accepted.customer, accepted.value)

    def _chat(self, step: StepFile) -> None:
        now = self._engine.clock.now()
        key = client_key("telegram", "shop", "c1")
        kind = ChatKind.CLOSED if step.chat == "closed" else ChatKind.MESSAGE
        event = ChatEvent("telegram", "shop", "d1", key, kind, now, self._id("c"), now, phone=PHONE, text=step.text)
        if step.chat == "client":
            event.speaker, event.name = Speaker.CLIENT, "Anna"
        else:
            event.speaker, event.manager = Speaker.MANAGER, MANAGER
        self._engine.record(CHAT.name, key, encode_json(event))

    def _press(self, step: StepFile) -> str:
        alerts = [trigger.alert for trigger in self._engine.triggers if trigger.alert is not None]
        if not alerts or step.press is None:
            return "there is no alert yet on which a button could be pressed"
        now = self._engine.clock.now()
        command = ChatCommand(step.press, now, self._id("p"), "maria", "Maria", alerts[-1].alert_id)
        self._engine.record(CHAT.name, command_key(command), encode_json(command))
        return ""

    def _changed(self, told: Told) -> None:
        now, name = self._engine.clock.now(), self._id("i")
        price = 0.0 if told.change == "out_of_stock" else told.price
        offered = Offered(now, [(told.product_id, price, told.old_price)])
        self._engine.record(LINKS.name, CUSTOMER, encode_json(offered))
        if not price:  # which no scenario begins on
            return
        change = Change(name, ChangeKind(told.change), told.product_id, now, told.price, told.old_price, told.currency)
        self._engine.record(LINKS.name, CUSTOMER, encode_json(Changes(name, now, [change])))

    def _id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}{self._ids}"
