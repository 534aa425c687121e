"""The end of an attempt is written over that attempt alone: a sender that was away does not undo its successor's."""

from agents.delivery import steps
from agents.delivery.settle import Rules, end, grant
from app.codec import encode_json
from app.model.reasons import Reason
from channels.ledger import Move, State, message_key
from channels.pipeline import Job, Verdict
from tables.memory import MemoryTable
from tests.agents.ledger_table import Bundle, Record, trigger

RULES = Rules(live=True, channels=frozenset({"email"}))
NOW = 1_700_000_000.0
TRIGGER = trigger(1)
KEY = message_key(TRIGGER.trigger_id + ".0")
POSTPONE = Verdict(Move.POSTPONE, Reason.RETRY, next_at=NOW + 60)


class Ledger:
    def __init__(self):
        self.table = MemoryTable(lambda *_: None)
        record = Record(b"", encode_json(TRIGGER), 0, int(NOW * 1000))
        self.step(lambda step: steps.on_bundle(step, Bundle("outbox", 0, [record]), NOW, RULES, 100))

    def step(self, work):
        box = []
        self.table.run(0, lambda step: box.append(work(step)))
        return box[0]

    @property
    def row(self):
        return self.table.partition(0).rows[KEY]

    def job(self, *, spoken):
        return Job(KEY, TRIGGER, "abandoned_cart", None, "a@shop.example", self.row.attempt, None, None, spoken=spoken)

    def grant(self):
        assert self.step(lambda step: grant(step, KEY, TRIGGER, self.row.attempt, NOW, RULES)) is True

    def end(self, job, verdict):
        return self.step(lambda step: end(step, KEY, job, verdict, NOW, RULES))


def test_a_refused_attempt_does_not_end_what_a_successor_is_saying():
    ledger = Ledger()
    ours = ledger.job(
        spoken=False
    )  # answered 4xx; then the partition went to somebody else, who was granted the message
    ledger.grant()
    assert ledger.end(ours, POSTPONE) is None
    assert ledger.row.state is State.INFLIGHT


def test_a_spoken_attempt_does_not_end_what_a_successor_has_settled():
    ledger = Ledger()
    ledger.grant()
    ours = ledger.job(spoken=True)
    ledger.end(ours, Verdict(Move.LOSE, Reason.AMBIGUOUS))
    assert ledger.end(ours, POSTPONE) is None
    assert ledger.row.state is State.AMBIGUOUS


def test_an_attempt_of_ones_own_is_ended():
    ledger = Ledger()
    ours = ledger.job(spoken=False)
    assert ledger.end(ours, POSTPONE) is not None
    assert (ledger.row.state, ledger.row.attempt) == (State.CLAIMED, ours.attempt + 1)
    ledger.grant()
    assert ledger.end(ledger.job(spoken=True), Verdict(Move.ACCEPT, Reason.SENT)) is not None
    assert ledger.row.state is State.SENT


def test_an_older_attempt_ends_nothing():
    ledger = Ledger()
    ours = ledger.job(spoken=False)
    ledger.end(ours, POSTPONE)
    assert ledger.end(ours, Verdict(Move.FAIL, Reason.REJECTED)) is None
    assert ledger.row.state is State.CLAIMED
