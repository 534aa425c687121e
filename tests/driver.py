"""The core under a manual clock (app/trial/engine.py), with words for what happens in a shop."""

from pathlib import Path

from agents.allowed import NOBODY
from agents.decide import Decider
from agents.dialogs.decide import Dialogs
from agents.scenarios.load import load_folder
from app.clock import moment
from app.codec import encode_json
from app.model.chat import ChatCommand, ChatEvent, ChatKind, CommandKind, Speaker, client_key, command_key
from app.model.event import Consent, Event, Line, Properties, Traits, customer_key
from app.topics import CHAT, CLICKSTREAM
from app.trial.engine import MemoryEngine

BUILT_IN = Path(__file__).parent.parent / "app" / "scenarios"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class Engine(MemoryEngine):
    """Events in, triggers out; time moves with `wait`."""

    def __init__(self, scenarios=None, *, dialogs=(), staff=None, locale="en", policy=None, segments=None, **options):
        found = load_folder(BUILT_IN) if scenarios is None else scenarios
        decider = Decider(found, locale=locale, policy=policy, segments=segments, staff=staff or NOBODY)
        super().__init__(decider, None if staff is None else Dialogs(dialogs, staff), **options)
        self._ids = 0

    # -- what happens in the shop

    def event(
        self,
        name,
        user="u1",
        /,
        *,
        anonymous=None,
        type="track",
        at=None,
        source="browser",
        id=None,
        push="",
        **properties,
    ):
        self._ids += 1
        products = properties.pop("products", None)
        if products is not None:
            properties["products"] = [Line(**line) for line in products]
        event = Event(
            type,
            moment(self.clock.now() if at is None else at),
            name,
            id or f"m{self._ids}",
            user,
            anonymous,
            properties=Properties(**properties),
            source=source,
            push=push,
        )
        self.feed(event)
        return event.messageId

    def feed(self, event):
        self.record(CLICKSTREAM.name, customer_key(event.userId, event.anonymousId), encode_json(event))

    def identify(
        self, user="u1", *, anonymous=None, email=None, consent=None, source="server", consent_source="", **traits
    ):
        self._ids += 1
        granted = {"email": consent} if isinstance(consent, bool) else consent or {}
        consents = {name: Consent(word, source=consent_source) for name, word in granted.items()} or None
        self.feed(
            Event(
                "identify",
                moment(self.clock.now()),
                messageId=f"m{self._ids}",
                userId=user,
                anonymousId=anonymous,
                traits=Traits(email=email, consent=consents, **traits),
                source=source,
            )
        )

    def subscriber(self, user="u1", **more):
        """A customer who may be written to."""
        self.identify(user, email=f"{user}@shop.example", consent=True, **more)

    def add(self, product, user="u1", **more):
        return self.event("Product Added", user, product_id=product, price=more.pop("price", 10.0), **more)

    def view(self, product, user="u1", **more):
        return self.event("Product Viewed", user, product_id=product, price=more.pop("price", 10.0), **more)

    def order(self, user="u1", **more):
        self._ids += 1
        return self.event("Order Completed", user, order_id=f"o{self._ids}", **more)

    # -- what is said in a messenger

    def chat(self, kind, *, dialog="d1", client="c1", at=None, id=None, **fields):
        self._ids += 1
        now = self.clock.now()
        when, name = now if at is None else at, id or f"x{self._ids}"
        key = fields.pop("key", None) or client_key("telegram", "shop", client)
        event = ChatEvent("telegram", "shop", dialog, key, kind, when, name, now, **fields)
        self.record(CHAT.name, key, encode_json(event))
        return event.event_id

    def asks(self, text="Is it in stock?", **fields):
        return self.chat(ChatKind.MESSAGE, speaker=Speaker.CLIENT, text=text, **fields)

    def answers(self, text="Yes, it is.", *, manager="777", **fields):
        return self.chat(ChatKind.MESSAGE, speaker=Speaker.MANAGER, text=text, manager=manager, **fields)

    def press(self, kind, alert="", *, by="anna", **fields):
        self._ids += 1
        command = ChatCommand(CommandKind(kind), self.clock.now(), f"p{self._ids}", by, by.title(), alert, **fields)
        self.record(CHAT.name, command_key(command), encode_json(command))

    # -- what came of it

    @property
    def fired(self):
        return [trigger.scenario for trigger in self.triggers]

    def reasons(self, scenario=None):
        return [line.reason for line in self.journal if scenario in (None, line.scenario)]

    def customer(self, key="u1"):
        return super().customer(key)
