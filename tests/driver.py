"""The core under a manual clock: the same Behaviour as in the worker, links delivered at once, no broker."""

from collections import Counter, deque
from pathlib import Path

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.dialogs.decide import Dialogs
from agents.scenarios.load import load_folder
from app.clock import ManualClock, moment
from app.codec import decode_dead_letter, decode_dialog_view, decode_journal, decode_outgoing, encode_json
from app.model.alert import AlertUpdate
from app.model.chat import ChatCommand, ChatEvent, ChatKind, CommandKind, Speaker, client_key, command_key
from app.model.event import Consent, Event, Line, Properties, Traits, customer_key
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Cancel, Erasure, Trigger, message_id
from app.replay.core import MemoryBatch, MemoryRecord, packed_rows
from app.topics import CHAT, CLICKSTREAM, DEAD_LETTERS, DIALOGS, JOURNAL, LINKS, OUTBOX, RECEIPTS, partition_of
from tables.memory import MemoryTable

BUILT_IN = Path(__file__).parent.parent / "app" / "scenarios"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class Engine:
    """Events in, triggers out; time moves with `wait`."""

    def __init__(
        self,
        scenarios=None,
        *,
        dialogs=(),
        staff=None,
        partitions=4,
        grace=0.0,
        locale="en",
        delivers=False,
        policy=None,
    ):
        self.clock = ManualClock()
        self.grace = grace
        self.partitions = partitions
        self.delivers = delivers
        """Whether each trigger is handed over at once, with a receipt."""
        self.decider = Decider(load_folder(BUILT_IN) if scenarios is None else scenarios, locale=locale, policy=policy)
        talk = None if staff is None else Dialogs(dialogs, staff)
        self.behaviour = Behaviour(self.decider, stream_time=False, partitions=partitions, dialogs=talk)
        self.table = MemoryTable(self._published, packed_rows)
        self.triggers: list[Trigger] = []
        self.cancels: list[Cancel] = []
        self.erasures: list[Erasure] = []
        self.updates: list[AlertUpdate] = []
        self.told: set[tuple[int, str]] = set()
        """Partition and id of the messages whose changes were published."""
        self.board = {}
        """Dialog -> its row."""
        self.journal = []
        self.dead = []
        self._queue = deque()
        self._offsets = Counter()
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

    def record(self, topic, key, value):
        self._queue.append((topic, partition_of(key, self.partitions), key, value))
        self._drain()

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

    def receipt(self, trigger, outcome=Outcome.SENT, *, at=None, reason="", channel=None):
        self.record(RECEIPTS.name, trigger.customer, encode_json(self._sent(trigger, outcome, at, reason, channel)))

    def _sent(self, trigger, outcome, at=None, reason="", channel=None):
        when = self.clock.now() if at is None else at
        message = message_id(trigger.trigger_id, trigger.stage)
        channel = channel or trigger.cascade[0].channel
        return Receipt(
            outcome, trigger.customer, channel, when, message, trigger.trigger_id, trigger.scenario, reason=reason
        )

    # -- time

    def wait(self, seconds):
        """Let time pass, waking up at each deadline on the way."""
        end = self.clock.now() + seconds
        while True:
            nexts = [part.timers.next_due() for part in self.table.parts.values()]
            soonest = min((due for due in nexts if due is not None), default=None)
            if soonest is None or soonest + self.grace > end:
                break
            self.clock.advance(max(0.0, soonest + self.grace - self.clock.now()))
            self._fire()
        self.clock.advance(end - self.clock.now())

    def _fire(self):
        now = self.clock.now()
        for number in list(self.table.parts):

            def work(step):
                for due, key in step.due(now - self.grace):
                    self.behaviour.on_timer(step, due, key, now)

            self.table.run(number, work)
        self._drain()

    # -- what came of it

    @property
    def fired(self):
        return [trigger.scenario for trigger in self.triggers]

    def reasons(self, scenario=None):
        return [line.reason for line in self.journal if scenario in (None, line.scenario)]

    def customer(self, key="u1"):
        return self.table.partition(partition_of(key, self.partitions)).rows.get(key)

    def _drain(self):
        while self._queue:
            topic, number, key, value = self._queue.popleft()
            offset = self._offsets[topic, number]
            self._offsets[topic, number] += 1
            batch = MemoryBatch(topic, number, (MemoryRecord(key.encode(), value, offset, 0),))
            self.table.run(number, lambda step, batch=batch: self.behaviour.on_bundle(step, batch, self.clock.now()))

    def _published(self, number, output):
        if output.topic == OUTBOX.name:
            outgoing = decode_outgoing(output.value)
            kinds = {Trigger: self.triggers, Cancel: self.cancels, AlertUpdate: self.updates, Erasure: self.erasures}
            kinds[type(outgoing)].append(outgoing)
            if isinstance(outgoing, AlertUpdate):
                self.told.add((number if output.partition is None else output.partition, outgoing.trigger_id))
            if self.delivers and isinstance(outgoing, Trigger):
                self._queue.append((RECEIPTS.name, number, output.key, encode_json(self._sent(outgoing, Outcome.SENT))))
        elif output.topic == JOURNAL.name:
            self.journal.append(decode_journal(output.value))
        elif output.topic == DIALOGS.name:
            if output.value is None:
                self.board.pop(output.key, None)
            else:
                self.board[output.key] = decode_dialog_view(output.value)
        elif output.topic == DEAD_LETTERS.name:
            self.dead.append(decode_dead_letter(output.value))
        else:
            assert output.topic == LINKS.name
            self._queue.append((LINKS.name, output.partition, output.key, output.value))
