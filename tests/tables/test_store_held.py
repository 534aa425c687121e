"""A held partition: the fence, the replay of a changelog, and holes."""

from typing import NamedTuple

import msgspec
import pytest

from tables.bundle import Bundle
from tables.changelog import FENCE_KEY, STEPS_END_WITH_FENCE, Codec, Fence
from tables.held import HeldPartition, HoleError, LostStateError
from tables.step import Step


class Row(msgspec.Struct, tag="row", gc=False):
    n: int = 0
    wake: float = 0.0


class Shelf(msgspec.Struct, tag="shelf", gc=False):
    items: list[str] = []
    wake: float = 0.0


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int = 0


CODEC = Codec(Row | Shelf)


@pytest.fixture
def part():
    return HeldPartition(3, grace=0.0)


def bundle(*records, start=None, end=None, topic="in"):
    start = records[0].offset if start is None else start
    return Bundle(topic, 3, records, start, records[-1].offset if end is None else end)


def written(part, *keys):
    """What a step that changed these keys writes."""
    return [*CODEC.records(part.rows, keys), CODEC.fence(part.applied, part.clock)]


def changelog(pairs, at=0, end=None):
    records = [Record(key, value, at + number) for number, (key, value) in enumerate(pairs)]
    return bundle(*records, end=end, topic="changelog")


def test_a_restored_partition_equals_the_written_one(part):
    step = Step(part)
    step.put("anna", Row(7))
    step.put("полка", Shelf(["a"]))
    step.put("gone", Row(1))
    step.delete("gone")
    step.clock = 12.5
    part.applied = {"in": 41, "links": 2}
    again = HeldPartition(3, 0.0)
    assert again.replay(changelog(written(part, *step.changed)), CODEC) == 4
    assert again.rows == {"anna": Row(7), "полка": Shelf(["a"])}
    assert (again.applied, again.clock, again.log_end) == ({"in": 41, "links": 2}, 12.5, 3)


def test_a_tombstone_removes_a_row_and_a_fence_is_never_one(part):
    part.replay(changelog([(b"a", CODEC.encode_row(Row(1)))]), CODEC)
    part.replay(changelog([(b"a", None), (FENCE_KEY, None)], at=1), CODEC)
    assert part.rows == {}
    assert part.applied == {}


def test_what_the_rows_already_reflect_is_not_applied_again(part):
    one, two = CODEC.encode_row(Row(1)), CODEC.encode_row(Row(2))
    part.replay(changelog([(b"a", one), (b"a", two)]), CODEC)
    assert part.replay(changelog([(b"a", one)]), CODEC) == 0
    assert part.replay(changelog([(b"a", one), (b"a", two), (b"b", one)]), CODEC) == 1
    assert part.rows == {"a": Row(2), "b": Row(1)}


def test_an_open_partition_is_ahead_of_its_changelog_and_replays_nothing(part):
    part.open = True
    assert part.replay(changelog([(b"a", CODEC.encode_row(Row(1)))]), CODEC) == 0
    assert part.rows == {}


def test_a_bundle_without_records_moves_the_changelogs_position(part):
    part.replay(changelog([(b"a", CODEC.encode_row(Row(1)))]), CODEC)
    part.replay(Bundle("changelog", 3, (), 1, 8), CODEC)
    assert part.log_end == 8


def test_a_changelog_that_is_not_read_from_its_beginning_is_refused(part):
    """As after two rebalances of which the second overtook the first: what an earlier reading had fetched comes late."""
    part.applied = {"in": 9}
    part.replay(changelog(written(part), at=5), CODEC)
    with pytest.raises(HoleError, match=r"log\[3\] was read from offset 5 on, not from its beginning"):
        part.check_state("log", 0, "group", {})


def test_a_changelog_that_was_read_from_its_beginning_is_taken(part):
    part.applied = {"in": 9}
    part.replay(changelog(written(part)), CODEC)
    part.replay(changelog(written(part), at=1), CODEC)
    part.check_state("log", 0, "group", {})


def test_a_changelog_that_ends_within_a_step_is_refused(part):
    """Its rows are ahead of its fence: what they have seen would be applied to them once more."""
    part.applied = {"in": 9}
    part.replay(changelog(written(part)), CODEC)
    part.replay(changelog([(b"a", CODEC.encode_row(Row(1)))], at=1), CODEC)
    with pytest.raises(LostStateError, match=r"log\[3\] ends within a step"):
        part.check_state("log", 0, "group", {})
    part.replay(changelog(written(part), at=2), CODEC)
    part.check_state("log", 0, "group", {})


def test_of_a_former_format_it_is_taken_since_not_all_that_was_written_ended_with_a_fence(part):
    fence = CODEC.encode_row(Fence({"in": 9}, 0.0, STEPS_END_WITH_FENCE - 1))
    part.replay(changelog([(FENCE_KEY, fence), (b"a", None)]), CODEC)
    part.check_state("log", 0, "group", {})


def test_a_hole_in_the_changelog_is_refused(part):
    part.replay(changelog([(b"a", CODEC.encode_row(Row(1)))]), CODEC)
    with pytest.raises(HoleError):
        part.replay(changelog([(b"a", CODEC.encode_row(Row(2)))], at=5), CODEC)


def test_the_next_record_and_repeated_ones_are_no_hole(part):
    part.applied = {"in": 10}
    assert part.check(bundle(Record(b"k", b"v", 11))) == 10
    assert part.check(bundle(Record(b"k", b"v", 4))) == 10
    assert part.check(bundle(Record(b"k", b"v", 15), start=11)) == 10  # markers and compaction leave such gaps


@pytest.mark.parametrize("start", [12, 100])
def test_missing_records_before_a_bundle_are_a_hole(part, start):
    part.applied = {"in": 10}
    with pytest.raises(HoleError, match="applied up to offset 10"):
        part.check(bundle(Record(b"k", b"v", start)))


def test_a_topic_that_is_no_input_is_refused(part):
    with pytest.raises(HoleError, match="not an input"):
        part.check(bundle(Record(b"k", b"v", 0), topic="other"))


def test_an_input_never_read_begins_where_its_log_begins(part):
    part.applied = {"in": 10}
    part.start_fence({"in": 3, "new": 7, "empty": 0}, {"in": 11, "new": 9, "empty": 0})
    assert part.applied == {"in": 10, "new": 6, "empty": -1}


def test_expired_unread_records_and_a_shrunk_input_are_refused(part):
    part.applied = {"in": 10}
    with pytest.raises(HoleError, match="expired unread"):
        part.start_fence({"in": 12}, {"in": 20})
    with pytest.raises(HoleError, match="made anew"):
        part.start_fence({"in": 0}, {"in": 10})


def test_a_bundle_forgets_what_the_fence_covers():
    whole = bundle(*(Record(b"k", b"v", offset) for offset in (3, 4, 7, 9)))
    assert whole.drop_until(2) == 0
    assert whole.drop_until(7) == 3
    assert [record.offset for record in whole.records] == [9]
    assert whole.drop_until(20) == 1
    assert len(whole) == 0
    assert whole  # an empty bundle is not nothing: Faust would take a false value for none
