import pytest

from agents.journal import DAY, PRUNE_EVERY, JournalSink
from app import metrics
from app.clock import ManualClock
from app.codec import encode_json
from app.errors import JournalDownError, LineRefusedError
from app.journal_store import JournalStore
from app.model.journal import JournalLine
from app.model.reasons import Reason


class Record:
    def __init__(self, value, offset=0):
        self.value = value
        self.offset = offset


def record(offset, at=1_700_000_000.0, customer="anna"):
    return Record(
        encode_json(JournalLine(at, customer, Reason.ARMED, "abandoned_cart", event_id=f"m-{offset}")), offset
    )


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path):
    store = JournalStore(f"sqlite:///{tmp_path}/journal.sqlite")
    yield store
    store.close()


@pytest.fixture
def sink(store, clock):
    return JournalSink(store, clock, days=90)


def bad_records():
    return metrics.DEAD_LETTERS.labels("bad_record")._value.get()


async def test_a_bundle_is_stored_when_the_call_returns(sink, store):
    before = metrics.JOURNAL_LINES._value.get()
    await sink.on_bundle([record(at) for at in range(1_000)], 2)
    assert store.counts(0) == {"armed": 1_000}
    assert metrics.JOURNAL_LINES._value.get() - before == 1_000


async def test_a_bundle_that_comes_again_changes_nothing(sink, store):
    bundle = [record(at) for at in range(50)]
    await sink.on_bundle(bundle, 2)
    await sink.on_bundle(bundle[20:], 2)
    assert store.counts(0) == {"armed": 50}


async def test_an_empty_bundle_is_fine(sink, store):
    await sink.on_bundle([], 0)
    assert store.counts(0) == {}


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"at":1}', b'{"at":"x","customer":"c","reason":"r"}', b'{"at":1e999,"customer":"c","reason":"r"}',
     b'{"at":1,"customer":"\\ud800","reason":"r"}', b'{"x":' + b"[" * 50_000, b'{"at":1,"customer":"\xff","reason":"r"}'],
)  # fmt: skip
async def test_a_line_that_cannot_be_read_is_counted_and_the_others_are_stored(sink, store, value):
    before = bad_records()
    await sink.on_bundle([record(0), Record(value, 1), record(2)], 0)
    assert store.counts(0) == {"armed": 2}
    assert bad_records() - before == 1


async def test_an_unknown_reason_is_stored_too(sink, store):
    await sink.on_bundle([Record(b'{"at":1700000000,"customer":"c","reason":"from_a_newer_version"}')], 0)
    assert store.counts(0) == {"from_a_newer_version": 1}


async def test_a_database_that_is_down_is_waited_for(store, clock):
    class Flaky:
        failures = 3

        def insert(self, places):
            if self.failures:
                self.failures -= 1
                raise JournalDownError("no route to host")
            store.insert(places)

        def prune(self, before, batches):
            return 0

    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    await JournalSink(Flaky(), clock, 90, sleep).on_bundle([record(0)], 0)
    assert store.counts(0) == {"armed": 1}
    assert pauses == [0.5, 1.0, 2.0]


async def test_one_line_that_the_database_refuses_does_not_hold_up_the_others(store, clock):
    class Picky:
        def insert(self, places):
            if any(place.line.customer == "poison" for place in places):
                raise LineRefusedError("not that")
            store.insert(places)

        def prune(self, before, batches):
            return 0

    before = bad_records()
    await JournalSink(Picky(), clock, 90).on_bundle([record(0), record(1, customer="poison"), record(2)], 0)
    assert store.counts(0) == {"armed": 2}
    assert bad_records() - before == 1


async def test_lines_past_retention_are_pruned_now_and_then(sink, store, clock):
    now = clock.now()
    await sink.on_bundle([record(0, now - 91 * DAY), record(1, now - 89 * DAY)], 0)
    assert store.counts(0) == {"armed": 1}
    await sink.on_bundle([record(2, now - 91 * DAY)], 0)
    assert store.counts(0) == {"armed": 2}, "too soon to prune again"
    clock.advance(PRUNE_EVERY)
    await sink.on_bundle([record(3, now)], 0)
    assert store.counts(0) == {"armed": 2}


async def test_pruning_that_fails_does_not_stop_the_sink(store, clock, monkeypatch):
    def fail(before, batches):
        raise JournalDownError("gone")

    monkeypatch.setattr(store, "prune", fail)
    await JournalSink(store, clock, 90).on_bundle([record(0)], 0)
    assert store.counts(0) == {"armed": 1}


async def test_a_database_that_comes_up_later_gets_everything(tmp_path, clock):
    """The sink is made while the database is away, as when the whole machine starts."""
    folder = tmp_path / "later"
    store = JournalStore(f"sqlite:///{folder}/journal.sqlite")
    folder.rmdir()

    async def sleep(seconds):
        folder.mkdir(exist_ok=True)

    await JournalSink(store, clock, 90, sleep).on_bundle([record(0)], 0)
    assert store.counts(0) == {"armed": 1}
    store.close()
