"""The timer index: soonest first, lazily postponed, rebuilt from rows."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tables.step import Partition


class Row:
    def __init__(self):
        self.wake = 0.0
        self.due = None


def test_entries_come_up_soonest_first():
    part = Partition(0)
    for key, at in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        part.rows[key] = Row()
        part.timers.wake(key, at)
    assert list(part.timers.pop_due(2.0)) == [(1.0, "a"), (2.0, "b")]
    assert part.timers.next_due() == 3.0


def test_postponing_adds_no_entry():
    part = Partition(0)
    part.rows["a"] = Row()
    for at in (1.0, 5.0, 9.0):
        part.timers.wake("a", at)
    assert len(part.timers) == 1
    assert part.timers.next_due() == 1.0


def test_an_earlier_deadline_comes_up_earlier_and_the_old_entry_is_skipped():
    part = Partition(0)
    part.rows["a"] = Row()
    part.timers.wake("a", 5.0)
    part.timers.wake("a", 2.0)
    assert list(part.timers.pop_due(10.0)) == [(2.0, "a")]


def test_a_cancelled_or_forgotten_row_does_not_come_up():
    part = Partition(0)
    for key in ("a", "b"):
        part.rows[key] = Row()
        part.timers.wake(key, 1.0)
    part.timers.wake("a", None)
    del part.rows["b"]
    assert part.timers.next_due() is None
    assert list(part.timers.pop_due(10.0)) == []


def test_at_most_so_many_come_up_at_once():
    part = Partition(0)
    for number in range(10):
        part.rows[str(number)] = Row()
        part.timers.wake(str(number), float(number + 1))
    assert len(list(part.timers.pop_due(100.0, 4))) == 4
    assert part.timers.next_due() == 5.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(1, 20)), max_size=60))
def test_the_index_agrees_with_a_plain_dictionary(changes):
    """A row wakes exactly at its true deadline, whatever was scheduled, postponed or cancelled before."""
    part = Partition(0)
    for key in "abcd":
        part.rows[key] = Row()
    for key, at in changes:
        row = part.rows[key]
        row.due = None if at is None else float(at)
        part.timers.wake(key, row.due)
    truth = sorted((row.due, key) for key, row in part.rows.items() if row.due is not None)
    found = []
    for due, key in part.timers.pop_due(100.0):
        row = part.rows[key]
        if row.due == due:
            found.append((due, key))
        elif row.due is not None:
            part.timers.wake(key, row.due)
    assert found == truth


def test_rebuilding_forgets_what_was_there_before():
    part = Partition(0)
    part.rows["a"] = Row()
    part.timers.wake("a", 1.0)
    part.rows["a"].due = 7.0
    part.rebuild_timers(lambda row: row.due)
    assert list(part.timers.pop_due(10.0)) == [(7.0, "a")]


@given(st.lists(st.integers(1, 10_000), unique=True, max_size=40))
def test_rebuilt_entries_come_up_soonest_first_over_many_slots(deadlines):
    part = Partition(0)
    for at in deadlines:
        part.rows[f"k{at}"] = Row()
        part.rows[f"k{at}"].due = float(at)
    part.rebuild_timers(lambda row: row.due)
    assert [due for due, _ in part.timers.pop_due(10_000.0)] == sorted(map(float, deadlines))


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wake"), st.sampled_from("abcdef"), st.none() | st.integers(1, 200)),
        st.tuples(st.just("forget"), st.sampled_from("abcdef")),
        st.tuples(st.just("look")),
        st.tuples(st.just("pop"), st.integers(1, 200), st.integers(1, 4)),
    ),
    max_size=80,
)


@given(ACTIONS)
def test_over_many_slots_entries_come_up_as_from_a_sorted_list(actions):
    """Scheduled and taken out in turns; a look at the next one opens a slot before its time."""
    part, deadlines = Partition(0), {}
    for what, *words in actions:
        if what == "wake":
            key, at = words
            part.rows.setdefault(key, Row())
            part.timers.wake(key, at if at is None else float(at))
            if at is None:
                deadlines.pop(key, None)
            else:
                deadlines[key] = min(float(at), deadlines.get(key, 1e9))
        elif what == "forget":
            part.rows.pop(words[0], None)
            deadlines.pop(words[0], None)
        elif what == "look":
            assert part.timers.next_due() == min(deadlines.values(), default=None)
        else:
            limit, most = words
            due = sorted((at, key) for key, at in deadlines.items() if at <= limit)[:most]
            assert list(part.timers.pop_due(limit, most)) == due
            for _, key in due:
                del deadlines[key]
        assert part.timers.earliest <= min(deadlines.values(), default=inf)
