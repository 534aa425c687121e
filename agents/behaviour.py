"""The single writer of customer state: records in, steps out. Synchronous and without I/O; the shell is `app/engine`.

One call handles a bundle of one partition. A record that cannot be used becomes a dead letter in the same step, so that
nobody else notices.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from agents.chat import Chat
from agents.deadletter import dead_letter
from agents.decide import Decider
from agents.decision import Decision
from agents.dialogs.decide import Dialogs
from agents.dialogs.staff import Staff
from agents.links import Links
from agents.outbox import hand_over
from agents.presence import Presence
from agents.receipts import REFUSALS, scenario_of
from agents.relating import Relations, met
from agents.scenarios.load import Loaded
from agents.segments.language import SegmentSet
from agents.segments.sizes import Sizes
from agents.shelving import Shelves
from agents.sweeps import Sweeps
from agents.upkeep import Upkeep
from agents.worth.tally import Tally
from app.codec import decode_event, decode_receipt, encode_json
from app.model.event import CLOCK, Event
from app.model.journal import JournalLine
from app.model.link import Forward, Link
from app.model.policy import Policy
from app.model.reasons import BadInput, Reason
from app.model.receipt import Receipt
from app.model.team import Team
from app.topics import CHAT, CLICKSTREAM, DEAD_LETTERS, JOURNAL, LINKS, RECEIPTS, partition_of
from tables.bounds import TooLargeError, check_size
from tables.customer import SHELF_PREFIX, Customer, Pointer, Row, Schedule, Sweep
from tables.ranking import Ranking
from tables.step import Batch, Output, Record, Step

ROW_TYPE = Row
MOST_HOPS = 3
LOG_EVERY = 1.0
"""Seconds between two tracebacks of records that could not be handled: a flood of them must not fill the disk."""
PUT_OFF = 3_600.0
"""Seconds after which a timer whose decision failed is looked at again; a restart looks at once."""

_log = logging.getLogger(__name__)


class Behaviour:
    """Applies records to the rows of a step and writes down what was decided."""

    def __init__(self, decider: Decider, *, stream_time: bool, partitions: int, dialogs: Dialogs | None = None) -> None:
        """`dialogs`: none, and nobody is told of any."""
        self._chat = Chat(
            dialogs or Dialogs((), Staff(Team())),
            decider,
            partitions,
            forward=self._forward,
            link=self._link,
            journal=self._journal,
            advance=self._advance if stream_time else None,
        )
        self.sweeps = Sweeps(decider, self._publish)
        self.upkeep = Upkeep(decider, self.sweeps)
        self._links = Links(
            decider,
            self._chat,
            link=self._link,
            journal=self._journal,
            publish=self._publish,
            event=self._apply,
            receipt=self._settle,
            forward=self._forward,
            changes=self.sweeps.begin,
            partitions=partitions,
        )
        if dialogs is not None and dialogs.scenarios:
            decider.read_all()
        self._decider, self._dialogs = decider, dialogs
        self._presence = Presence(decider, self._advance if stream_time else None)
        self._sift: Callable[[Step, Sequence[Record]], Iterable[Record]] = self._presence.rest
        self._stream_time, self._partitions = stream_time, partitions
        self._handlers: dict[str, Callable[[Step, Record, Batch], None]] = {
            CLICKSTREAM.name: self._on_event,
            CHAT.name: self._chat.on_record,
            RECEIPTS.name: self._on_receipt,
            LINKS.name: self._links.on_record,
        }
        self._shelves, self._relations, self._logged_at = Shelves(), Relations(), 0.0
        self.counts: Counter[tuple[str, str]] = Counter()
        """(scenario, reason) since the shell last took them for the metrics."""
        self.dead: Counter[str] = Counter()  # dead letters by reason, likewise
        self.receipts: Counter[tuple[str, str]] = Counter()  # by (scenario, outcome), likewise
        self.sizes, self.worth = Sizes(), Tally()  # who is in which segment; what scenarios bring, likewise

    def take(
        self, scenarios: Loaded, segments: SegmentSet | None = None, policy: Policy | None = None, staff: Staff | None = None
    ) -> None:  # fmt: skip
        """Go on with these scenarios, and these segments, this policy and this team where they are given, from the next step on.

        What comes due sooner by them is found by asking `wake_of` again.
        """
        if self._dialogs is not None:
            if scenarios.dialogs:
                self._decider.read_all()
            self._dialogs.take(scenarios.dialogs, staff)
        self._decider.take(scenarios.site, scenarios.former, segments, policy, staff)

    def wake_of(self, row: Row) -> float | None:
        """The earliest deadline of a row."""
        if type(row) is not Customer:
            return row.due if isinstance(row, (Sweep, Schedule, Ranking)) else None
        return self._decider.wake_of(row) if row.dialogs is None else self._chat.wake_of(row)

    def rebuilding(self, partition: int) -> Callable[[Row], float | None]:
        """`wake_of` for the rows of a partition that is restored: counts who is in which segment on the way."""
        self.closed(partition)
        return self.sizes.rebuilding(partition, self.wake_of)

    def closed(self, partition: int) -> None:
        """A partition is not ours any more, or is restored: what is known of it beside its rows counts no more."""
        for known in (self.sweeps, self.upkeep, self._relations, self._shelves, self.sizes):
            known.forget(partition)

    def on_bundle(self, step: Step, batch: Batch, now: float) -> None:
        """Apply a bundle; `now` is the wall clock (live time), epoch seconds."""
        handler = self._handlers[batch.topic]
        if not self._stream_time and self.upkeep.wants(step.partition):
            self.upkeep.keep(step, now)
        self.upkeep.begin(step)
        clicks = batch.topic == CLICKSTREAM.name
        for record in self._sift(step, batch.records) if clicks else batch.records:
            try:
                handler(step, record, batch)
            except TooLargeError as error:
                self._bury(step, record, batch, BadInput.TOO_LARGE, str(error), now)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                self._bury(step, record, batch, BadInput.BAD_RECORD, str(error), now)
            except Exception as error:
                # One record must not stop a partition for ever: it is kept aside with its reason, loudly.
                self._log_failure(now, "%s[%d]@%d", batch.topic, batch.partition, record.offset)
                self._bury(step, record, batch, BadInput.HANDLER_FAILED, repr(error), now)

    def on_timer(self, step: Step, due: float, key: str, now: float) -> None:
        """A timer of `key` came up at `due`. In stream time the clock stands at `due`.

        One customer must not stop a partition for ever, and after each restart again: a decision that fails is put off, loudly.
        """
        outputs, packed = len(step.outputs), step.packed
        if packed is not None and key in step.changed:
            packed.pack(key)  # what this step has done so far stays, should the decision fail half-way
        try:
            self._on_timer(step, due, key, now)
        except Exception as error:
            self._log_failure(now, "a timer of partition %d, due at %.0f,", step.partition, due)
            del step.outputs[outputs:]
            if packed is not None:
                packed.forget(key)  # what the decision had changed by then is forgotten
            at = due if self._stream_time else now
            step.wake(key, at + PUT_OFF)
            self._journal(
                step, JournalLine(at, key, Reason.DECISION_FAILED, due=due, detail={"error": repr(error)[:200]})
            )

    def _on_timer(self, step: Step, due: float, key: str, now: float) -> None:
        row = step.rows.get(key)
        self.upkeep.begin(step)
        if type(row) is Sweep:
            self.sweeps.go_on(step, key, row, due if self._stream_time else now)
        if type(row) is not Customer:
            self.upkeep.come(step, key, row, due if self._stream_time else now)
            return
        dues = self._decider.dues(row)
        soonest = self._decider.wake_of(row, dues) if row.dialogs is None else self._chat.wake_of(row)
        if soonest is None or soonest > due:  # postponed since: the most frequent case
            step.wake(key, soonest)
            return
        at = due if self._stream_time else now
        decision = self._decider.on_due(key, row, at, step.rows.get, due, dues)
        if decision.reasons or decision.fired or row.engagement is not None:
            step.touch(key)
        if decision.wake_at is not None:
            step.wake(key, decision.wake_at)
        self._publish(step, key, decision)
        if row.dialogs is not None:
            self._chat.on_due(step, key, row, at, due)

    def _log_failure(self, now: float, what: str, *words: object) -> None:
        if abs(now - self._logged_at) >= LOG_EVERY:
            self._logged_at = now
            _log.exception(f"{what} could not be handled", *words)

    # -- clickstream ---------------------------------------------------------------------------------------------

    def _on_event(self, step: Step, record: Record, batch: Batch) -> None:
        raw = record.value or b""
        check_size(record.key, raw)
        event = decode_event(raw)
        at = event.timestamp.timestamp()
        if self._stream_time and at > step.part.clock:
            self._advance(step, at)
        if event.type == CLOCK:
            return
        if not record.key:
            raise ValueError("the record has no key")
        key = record.key.decode()
        if key[0] == SHELF_PREFIX[0]:
            raise ValueError("a customer's key cannot begin with NUL")
        if self._presence.noted(step, key, event, at):
            return
        if not event.messageId:
            event.messageId = f"{batch.partition}-{record.offset}"
        self._apply(step, key, event, at, raw, 0)

    def _apply(self, step: Step, key: str, event: Event, at: float, raw: bytes, hops: int) -> None:
        row = step.rows.get(key)
        if row is None:
            row = step.rows[key] = Customer()
        elif type(row) is Pointer:
            self._forward(step, key, row.owner, raw, CLICKSTREAM.name, event.messageId, hops)
            return
        together = met(row, event, at) if self._decider.kept.related else None
        decision = self._decider.on_event(key, row, event, at)
        step.touch(key)
        if decision.wake_at is not None:
            step.wake(key, decision.wake_at)
        self._relations.note(step, event, together, at)
        if decision.ordered_as and not hops:
            self._link(
                step, decision.ordered_as, Forward(key, decision.ordered_as, raw, CLICKSTREAM.name, event.messageId, 1)
            )
        if event.event == "Product Viewed" and not event.historical:
            self._shelves.put(step, key, event, at)
        if decision.reasons or decision.claims or decision.cancelled:
            self._publish(step, key, decision)
        if row.dialogs is not None:
            self._chat.on_visit(step, key, row, event, at)

    def _advance(self, step: Step, at: float) -> None:
        """Stream time: move the partition's clock, firing what comes due on the way, before the event is applied."""
        before, step.part.clock = step.part.clock, at
        if self.upkeep.wants(step.partition):
            self.upkeep.keep(step, before or at)
        if step.part.timers.earliest <= at:
            for due, key in step.due(at):
                self.on_timer(step, due, key, due)

    # -- receipts ------------------------------------------------------------------------------------------------

    def _on_receipt(self, step: Step, record: Record, _batch: Batch) -> None:
        check_size(record.key, record.value or b"")
        receipt = decode_receipt(record.value or b"")
        row = step.rows.get(receipt.customer)
        if type(row) is Pointer:
            self._forward(step, receipt.customer, row.owner, record.value or b"", RECEIPTS.name, receipt.message_id, 0)
        else:
            self._settle(step, receipt.customer, row, receipt)

    def _settle(self, step: Step, key: str, row: Row | None, receipt: Receipt) -> None:
        if self._chat.is_of_alert(receipt):
            self.receipts[receipt.scenario, receipt.outcome.value] += 1
            return
        if row is None and receipt.outcome in REFUSALS:
            row = step.rows[key] = Customer()  # a consent that nobody gave here must not undo it
        if type(row) is not Customer:
            return
        receipt.customer = key
        receipt.scenario = receipt.scenario or scenario_of(row, receipt.trigger_id)
        self.receipts[self._decider.known(receipt.scenario), receipt.outcome.value] += 1
        decision = self._decider.on_receipt(key, row, receipt)
        step.touch(key)
        if decision.wake_at is not None:
            step.wake(key, decision.wake_at)
        self._publish(step, key, decision)

    # -- links ---------------------------------------------------------------------------------------------------

    def _forward(self, step: Step, alias: str, owner: str, raw: bytes, topic: str, event_id: str, hops: int) -> None:
        """A late record for a key whose state has moved goes after it."""
        if hops >= MOST_HOPS:
            raise ValueError(f"forwarded {hops} times")
        self._link(step, owner, Forward(alias, owner, raw, topic, event_id, hops + 1))

    def _link(self, step: Step, to: str, link: Link) -> None:
        step.send(LINKS.name, to, encode_json(link), partition_of(to, self._partitions))

    # -- out -----------------------------------------------------------------------------------------------------

    def _publish(self, step: Step, key: str, decision: Decision) -> None:
        for trigger in decision.fired:
            hand_over(step, key, trigger, self._partitions)
        for cancel in decision.cancelled:
            hand_over(step, key, cancel, self._partitions)
        for claim in decision.claims:
            self._link(step, claim.alias, claim)
        if decision.moved:
            self.sizes.moved(step.partition, decision.moved)
        counts, outputs = self.counts, step.outputs
        for line in decision.reasons:
            counts[line.scenario, line.reason] += 1
            self.worth.note(line)
            value = encode_json(line)
            step.sent += len(value)
            outputs.append(Output(JOURNAL.name, key, value, None))

    def _journal(self, step: Step, line: JournalLine) -> None:
        self.counts[line.scenario, line.reason] += 1
        step.send(JOURNAL.name, line.customer, encode_json(line))

    def _bury(self, step: Step, record: Record, batch: Batch, reason: BadInput, detail: str, now: float) -> None:
        self.dead[reason] += 1
        letter = dead_letter(batch, record, reason, detail[:500], now, "engine")
        step.send(DEAD_LETTERS.name, f"{batch.topic}-{batch.partition}-{record.offset}", letter)
