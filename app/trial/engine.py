"""The core under a manual clock: the same Behaviour as in the worker, links delivered at once, no broker."""

from collections import Counter, deque
from collections.abc import Callable

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.dialogs.decide import Dialogs
from app.clock import ManualClock
from app.codec import decode_dead_letter, decode_dialog_view, decode_journal, decode_outgoing, encode_json
from app.model.alert import AlertUpdate, DialogView
from app.model.journal import DeadLetter, JournalLine
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Cancel, Erasure, Trigger, message_id
from app.replay.core import MemoryBatch, MemoryRecord, packed_rows
from app.topics import DEAD_LETTERS, DIALOGS, JOURNAL, LINKS, OUTBOX, RECEIPTS, partition_of
from tables.customer import Row
from tables.memory import MemoryTable
from tables.step import Output, Step


class MemoryEngine:
    """Records in, triggers out; time moves with `wait`, and wakes up at each deadline on the way."""

    def __init__(
        self,
        decider: Decider,
        dialogs: Dialogs | None = None,
        *,
        partitions: int = 4,
        grace: float = 0.0,
        delivers: bool = False,
        clock: ManualClock | None = None,
    ) -> None:
        """`delivers`: each trigger is handed over at once, with a receipt."""
        self.clock = clock or ManualClock()
        self.grace, self.partitions, self.delivers = grace, partitions, delivers
        self.decider = decider
        self.behaviour = Behaviour(decider, stream_time=False, partitions=partitions, dialogs=dialogs)
        self.table = MemoryTable(self._published, packed_rows, self.behaviour.sizes.gone)
        self.triggers: list[Trigger] = []
        self.cancels: list[Cancel] = []
        self.erasures: list[Erasure] = []
        self.updates: list[AlertUpdate] = []
        self.told: set[tuple[int, str]] = set()
        """Partition and id of the messages whose changes were published."""
        self.board: dict[str, DialogView] = {}
        """Dialog -> its row."""
        self.journal: list[JournalLine] = []
        self.dead: list[DeadLetter] = []
        self._queue: deque[tuple[str, int, str, bytes]] = deque()
        self._offsets: Counter[tuple[str, int]] = Counter()

    def plan(self) -> None:
        """Have every partition know the schedules of the scenarios and the ranking of the segments, before anything happens there."""
        for number in range(self.partitions):
            self.table.run(number, lambda step: self.behaviour.upkeep.keep(step, self.clock.now()))

    def record(self, topic: str, key: str, value: bytes) -> None:
        """A record of a topic, and all that follows from it at once."""
        self._queue.append((topic, partition_of(key, self.partitions), key, value))
        self._drain()

    def receipt(
        self,
        trigger: Trigger,
        outcome: Outcome = Outcome.SENT,
        *,
        at: float | None = None,
        reason: str = "",
        channel: str | None = None,
        address: str | None = None,
    ) -> None:
        """What a provider, or the sender, told of a trigger's message; a bounce names the address that it was sent to."""
        told = self._sent(trigger, outcome, at, reason, channel)
        if outcome is Outcome.BOUNCED:
            told.address = trigger.addresses.get(told.channel, "") if address is None else address
        self.record(RECEIPTS.name, trigger.customer, encode_json(told))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now() + seconds
        while True:
            nexts = [part.timers.next_due() for part in self.table.parts.values()]
            soonest = min((due for due in nexts if due is not None), default=None)
            if soonest is None or soonest + self.grace > end:
                break
            self.clock.advance(max(0.0, soonest + self.grace - self.clock.now()))
            self._fire()
        self.clock.advance(end - self.clock.now())

    def customer(self, key: str) -> Row | None:
        """The row of a key."""
        return self.table.partition(partition_of(key, self.partitions)).rows.get(key)

    def _fire(self) -> None:
        now = self.clock.now()
        for number in list(self.table.parts):
            self.table.run(number, self._timers(now))
        self._drain()

    def _timers(self, now: float) -> Callable[[Step], None]:
        def work(step: Step) -> None:
            for due, key in step.due(now - self.grace):
                self.behaviour.on_timer(step, due, key, now)

        return work

    def _sent(
        self, trigger: Trigger, outcome: Outcome, at: float | None = None, reason: str = "", channel: str | None = None
    ) -> Receipt:
        return Receipt(
            outcome,
            trigger.customer,
            channel or trigger.cascade[0].channel,
            self.clock.now() if at is None else at,
            message_id(trigger.trigger_id, trigger.stage),
            trigger.trigger_id,
            trigger.scenario,
            reason=reason,
        )

    def _drain(self) -> None:
        while self._queue:
            topic, number, key, value = self._queue.popleft()
            offset = self._offsets[topic, number]
            self._offsets[topic, number] += 1
            batch = MemoryBatch(topic, number, (MemoryRecord(key.encode(), value, offset, 0),))
            self.table.run(number, lambda step, batch=batch: self.behaviour.on_bundle(step, batch, self.clock.now()))  # type: ignore[misc]

    def _published(self, number: int, output: Output) -> None:
        if output.topic == DIALOGS.name:
            self._shown(output)
        elif output.value is None:
            raise ValueError(f"a tombstone on {output.topic}")
        elif output.topic == OUTBOX.name:
            self._out(number, output, output.value)
        elif output.topic == JOURNAL.name:
            self.journal.append(decode_journal(output.value))
        elif output.topic == DEAD_LETTERS.name:
            self.dead.append(decode_dead_letter(output.value))
        else:
            assert output.topic == LINKS.name
            assert output.partition is not None
            self._queue.append((LINKS.name, output.partition, output.key, output.value))

    def _shown(self, output: Output) -> None:
        if output.value is None:
            self.board.pop(output.key, None)
        else:
            self.board[output.key] = decode_dialog_view(output.value)

    def _out(self, number: int, output: Output, value: bytes) -> None:
        outgoing = decode_outgoing(value)
        if isinstance(outgoing, Trigger):
            self.triggers.append(outgoing)
            if self.delivers:
                self._queue.append((RECEIPTS.name, number, output.key, encode_json(self._sent(outgoing, Outcome.SENT))))
        elif isinstance(outgoing, Cancel):
            self.cancels.append(outgoing)
        elif isinstance(outgoing, Erasure):
            self.erasures.append(outgoing)
        else:
            self.updates.append(outgoing)
            self.told.add((number if output.partition is None else output.partition, outgoing.trigger_id))
