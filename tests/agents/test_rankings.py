"""Scores by quantiles: worked out once a day in each partition, and who enters or leaves a segment by it."""

from collections import Counter
from random import Random

import msgspec
import pytest

from agents.conditions.rfm import figures, rank, ranks_of, scores
from agents.conditions.words import ScenarioError
from agents.rankings import SAMPLE, Rankings
from agents.segments.load import check_segments, load_segments
from agents.segments.membership import segments_of
from app.model.reasons import Reason
from tables.customer import SWEEP_PREFIX, Customer, Orders
from tables.glance import orders_of
from tables.ranking import RANKING, Ranking
from tests.driver import BUILT_IN, DAY, HOUR, Engine

BEST = "id: best\ntitle: Spends most\nwhen: {rfm: m, at_least: 5}\n"
RECENT = "id: recent\ntitle: Bought last\nwhen: {rfm: r, at_least: 4}\n"
SETTLED = "id: settled\ntitle: Spends most, and bought ten days ago\nwhen:\n  all:\n  - {segment: best}\n  - {orders: days_since_last, at_least: 10}\n"
MIXED = "id: mixed\ntitle: Spends most, and bought ten days ago\nwhen:\n  all:\n  - {rfm: m, at_least: 5}\n  - {orders: days_since_last, at_least: 10}\n"


def found(folder, *texts, rfm="bounds: quantile\n"):
    for number, text in enumerate(texts):
        (folder / f"s{number}.yaml").write_text(text)
    (folder / "rfm.yaml").write_text(rfm)
    return load_segments(folder)


@pytest.fixture
def shop(tmp_path):
    engine = Engine([], segments=found(tmp_path, BEST, RECENT, SETTLED, MIXED), partitions=1)
    engine.plan()
    return engine


def fill(engine, count=10):
    """Customers c1 to cN, who have bought for as much as their number says."""
    for number in range(1, count + 1):
        engine.order(f"c{number}", total=float(number))


def members(engine, segment):
    names = [name for part in engine.table.parts.values() for name in part.rows if name[0] != "\x00"]
    return {name for name in names if segment in segments_of(engine.customer(name))}


def ranking(engine, number=0):
    return engine.table.partition(number).rows[RANKING]


# -- the scores


def test_quantiles_are_values_of_customers_and_a_score_is_by_how_many_one_lies_above():
    (ranks, _, _) = ranks_of([list(map(float, range(1, 11)))] * 3)
    assert ranks == (2.0, 4.0, 6.0, 8.0)
    assert [rank(value, ranks) for value in (1.0, 2.0, 3.0, 8.0, 9.0, 10.0)] == [1, 1, 2, 4, 5, 5]


def test_of_those_who_are_alike_none_stands_above_the_others():
    (ranks, _, _) = ranks_of([[1.0] * 9 + [2.0]] * 3)
    assert [rank(value, ranks) for value in (1.0, 2.0)] == [1, 5]


def test_one_customer_is_no_better_than_himself():
    assert scores(Orders(1, 5.0, 1.0, 1.0, [], 1), ranks_of([[1.0], [1.0], [5.0]])) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_no_fifth_is_larger_than_a_fifth_unless_customers_are_alike(seed):
    dice = Random(seed)
    values = [dice.random() for _ in range(dice.randint(1, 200))]
    (ranks, _, _) = ranks_of([values] * 3)
    sizes = Counter(rank(value, ranks) for value in values)
    assert all(count <= len(values) // 5 + 1 for count in sizes.values())


def test_orders_are_read_from_the_bytes_of_a_row():
    customer = Customer(orders=Orders(3, 30.0, 1.0, 2.0, ["o1"], 2))
    assert orders_of(msgspec.msgpack.encode(customer)) == customer.orders
    assert orders_of(msgspec.msgpack.encode(Customer())) is None


# -- in the engine


def test_customers_enter_by_the_first_ranking_and_by_that_of_each_day(shop):
    shop.wait(1.0)
    fill(shop)
    shop.wait(HOUR)
    assert members(shop, "best") == set()  # nobody had bought when it was worked out last
    shop.wait(DAY)
    assert members(shop, "best") == {"c9", "c10"}
    for number in (1, 2):
        shop.order(f"c{number}", total=100.0)
    assert members(shop, "best") == {"c1", "c2", "c9", "c10"}  # by yesterday's measure
    shop.wait(DAY)
    assert members(shop, "best") == {"c1", "c2"}
    left = [line for line in shop.journal if line.reason == Reason.SEGMENT_LEFT and line.detail["segment"] == "best"]
    assert {line.customer for line in left} == {"c9", "c10"}
    assert "the score of monetary among the customers is 4" in left[0].detail["why"]


def test_time_alone_changes_no_score(shop):
    for number in range(1, 11):
        shop.order(f"c{number}", total=1.0)
        shop.wait(HOUR)
    shop.wait(2 * DAY)
    recent = members(shop, "recent")
    assert recent == {"c7", "c8", "c9", "c10"}
    lines, written = len(shop.journal), ranking(shop).at
    shop.wait(5.3 * DAY)
    assert members(shop, "recent") == recent
    moves = [line for line in shop.journal[lines:] if line.detail.get("segment") == "recent"]
    assert moves == []
    assert ranking(shop).at > written + 4 * DAY


def test_a_segment_that_asks_for_one_by_score_follows_it_and_its_own_time_comes(shop):
    fill(shop)
    shop.wait(2 * DAY)
    assert members(shop, "best") == {"c9", "c10"}
    assert members(shop, "settled") == members(shop, "mixed") == set()
    shop.wait(9 * DAY)
    assert members(shop, "settled") == members(shop, "mixed") == {"c9", "c10"}


def test_where_no_segment_asks_no_row_is_kept(tmp_path):
    engine = Engine([], segments=found(tmp_path, "id: buyers\ntitle: Buyers\nwhen: {orders: count, at_least: 1}\n"))
    engine.plan()
    fill(engine)
    engine.wait(3 * DAY)
    assert all(RANKING not in part.rows for part in engine.table.parts.values())
    fixed = Engine([], segments=load_segments(BUILT_IN.parent / "segments"))
    fixed.plan()
    assert not fixed.behaviour.upkeep


def test_the_row_goes_when_bounds_are_fixed_again(tmp_path, shop):
    fill(shop)
    shop.wait(2 * DAY)
    fixed = found(tmp_path, BEST, rfm=(BUILT_IN.parent / "segments" / "rfm.yaml").read_text())
    shop.decider.take([], segments=fixed)
    for number, part in shop.table.parts.items():
        part.rebuild_timers(shop.behaviour.rebuilding(number))
    shop.wait(2 * DAY)
    assert RANKING not in shop.table.partition(0).rows
    assert members(shop, "best") == set()


def test_until_there_is_a_ranking_everybody_stays_where_he_is(tmp_path):
    rfm = "recency: [1, 2, 3, 4]\nfrequency: [1, 2, 3, 4]\nmonetary: [1, 2, 3, 9]\n"
    engine = Engine([], segments=found(tmp_path, BEST, rfm=rfm), partitions=1)
    fill(engine)
    assert members(engine, "best") == {"c9", "c10"}
    engine.decider.take([], segments=found(tmp_path, BEST))
    for number, part in engine.table.parts.items():
        part.rebuild_timers(engine.behaviour.rebuilding(number))
    lines = len(engine.journal)
    engine.wait(10.0)
    engine.plan()
    engine.wait(2 * DAY)
    assert members(engine, "best") == {"c9", "c10"}
    assert not [line for line in engine.journal[lines:] if line.reason in (Reason.SEGMENT_LEFT, Reason.SEGMENT_ENTERED)]


def test_it_is_read_in_slices_and_begun_again_after_a_crash(shop):
    rankings = shop.behaviour.upkeep.rankings
    rankings._slice = 3  # noqa: SLF001
    fill(shop)
    part = shop.table.partition(0)
    due = ranking(shop).due
    shop.wait(due - shop.clock.now() + 0.06)  # two slices of four
    assert ranking(shop).buyers == 0
    part.rebuild_timers(shop.behaviour.rebuilding(0))
    shop.wait(1.0)
    assert ranking(shop).buyers == 10
    assert members(shop, "best") == {"c9", "c10"}


def test_who_has_bought_nothing_has_no_rank_before_the_first_ranking_too(tmp_path):
    """Nobody would come back to him: walks look at buyers."""
    text = "id: browsing\ntitle: Has a cart\nwhen: {any: [{rfm: m, at_least: 5}, {cart: lines, at_least: 1}]}\n"
    engine = Engine([], segments=found(tmp_path, text), partitions=1)
    engine.add("p1", "v1")
    assert members(engine, "browsing") == {"v1"}


def test_customers_are_put_in_order_in_parts(shop, monkeypatch):
    """No step of a large partition takes long because all its keys are sorted."""
    monkeypatch.setattr("agents.walking.PART", 4)
    fill(shop)
    due = ranking(shop).due
    shop.wait(due - shop.clock.now() + 0.06)  # eight keys of ten have their places
    assert ranking(shop).buyers == 0
    shop.wait(1.0)
    assert ranking(shop).buyers == 10 and members(shop, "best") == {"c9", "c10"}


def test_a_sample_is_as_many_buyers_as_are_asked_for(tmp_path):
    engine = Engine([], segments=found(tmp_path, BEST), partitions=1)
    engine.plan()
    engine.behaviour.upkeep.rankings._sample = 4  # noqa: SLF001
    engine.behaviour.upkeep.rankings._slice = 3  # noqa: SLF001
    fill(engine, 20)
    engine.wait(2 * DAY)
    assert ranking(engine).buyers == 4
    assert Rankings(engine.decider, engine.behaviour.sweeps)._sample == SAMPLE  # noqa: SLF001


def test_a_walk_that_is_not_over_puts_the_next_ranking_off(shop):
    fill(shop)
    shop.wait(2 * DAY)
    shop.order("c3", total=500.0)
    engine, part = shop, shop.table.partition(0)
    engine.behaviour.sweeps._slice = 1  # noqa: SLF001
    due = ranking(shop).due
    shop.wait(due - shop.clock.now() + 0.2)
    assert any(name.startswith(SWEEP_PREFIX) for name in part.rows)
    shop.wait(HOUR)
    assert not any(name.startswith(SWEEP_PREFIX) for name in part.rows)
    assert members(shop, "best") == {"c3", "c10"}


@pytest.mark.parametrize("seed", range(15))
def test_memberships_equal_a_batch_after_each_ranking(tmp_path, seed):
    dice = Random(seed)
    engine = Engine([], segments=found(tmp_path, BEST, RECENT, MIXED), partitions=3)
    engine.plan()
    bought = {}
    for _ in range(6):
        for _ in range(dice.randint(0, 30)):
            name = f"c{dice.randint(1, 25)}"
            engine.order(name, total=dice.choice([1.0, 5.0, dice.random() * 100]))
            bought[name] = engine.customer(name).orders
            engine.wait(dice.choice([0.0, 60.0, HOUR]))
        engine.wait(2 * DAY)
        check(engine, {name: engine.customer(name).orders for name in bought})
    before = +engine.behaviour.sizes.now
    for number, part in engine.table.parts.items():
        part.rebuild_timers(engine.behaviour.rebuilding(number))
    assert +engine.behaviour.sizes.now == before


def check(engine, orders):
    for part in engine.table.parts.values():
        mine = {name: one for name, one in orders.items() if name in part.rows}
        if not mine:
            continue
        ranks = ranks_of(list(zip(*map(figures, mine.values()), strict=True)))
        assert part.rows[RANKING].ranks == ranks
        for name, one in mine.items():
            r, _, m = scores(one, ranks)
            wanted = {"recent"} if r >= 4 else set()
            wanted |= {"best"} if m == 5 else set()
            wanted |= {"mixed"} if m == 5 and engine.clock.now() - one.last_at >= 10 * DAY else set()
            assert set(segments_of(engine.customer(name))) == wanted, name


def test_one_history_played_twice_gives_one_journal(tmp_path):
    runs = []
    for _ in range(2):
        engine = Engine([], segments=found(tmp_path, BEST, RECENT), partitions=2)
        engine.plan()
        for day in range(10):
            fill(engine, 3 + day)
            engine.wait(DAY)
        runs.append([msgspec.json.encode(line) for line in engine.journal])
    assert runs[0] == runs[1]


# -- the file


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bounds: quantile\nfrequency: [1, 2, 3, 4]\n", "frequency: with `bounds: quantile` the customers themselves"),
        ("bounds: sometimes\n", "'sometimes'"),
        ("recency: [1, 2, 3, 4]\nfrequency: [1, 2, 3, 4]\n", "the field `monetary` is missing"),
        ("bounds: quantile\nquantiles: 5\n", "quantiles"),
    ],
)
def test_a_file_of_bounds_that_cannot_be_is_refused(tmp_path, text, fault):
    (tmp_path / "best.yaml").write_text(BEST)
    (tmp_path / "rfm.yaml").write_text(text)
    (told,) = check_segments(tmp_path).faults
    assert told.startswith("rfm.yaml") and fault in told
    with pytest.raises(ScenarioError):
        load_segments(tmp_path)


def test_a_ranking_is_a_small_row():
    row = Ranking(1.0, 1.0, ranks_of([[1.0]] * 3), ranks_of([[2.0]] * 3), 1)
    assert len(msgspec.msgpack.encode(row)) < 300
