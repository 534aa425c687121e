"""What must hold of the core whatever customers do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.replay.core import packed_rows
from tests.driver import DAY, HOUR, MINUTE, Engine

PRODUCTS = st.sampled_from(["p1", "p2", "p3"])
ACTIONS = st.one_of(
    st.tuples(st.just("add"), PRODUCTS),
    st.tuples(st.just("remove"), PRODUCTS),
    st.tuples(st.just("view"), PRODUCTS),
    st.tuples(st.just("search"), st.sampled_from(["lamp", "sofa"])),
    st.tuples(st.just("order"), st.just("")),
    st.tuples(st.just("page"), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 10 * MINUTE, 59 * MINUTE, 61 * MINUTE, 2 * HOUR, 5 * HOUR, DAY])),
)
HISTORIES = st.lists(ACTIONS, max_size=40)


NAMES = {"add": "Product Added", "remove": "Product Removed", "view": "Product Viewed"}


def do(shop, number, item):
    """One action; the same number is the same event."""
    action, what = item
    event_id = f"e{number}"
    if action == "wait":
        shop.wait(what)
    elif action in NAMES:
        more = {"category": "c", "price": 1.0} if action == "view" else {}
        shop.event(NAMES[action], product_id=what, id=event_id, **more)
    elif action == "search":
        shop.event("Products Searched", query=what, id=event_id)
    elif action == "order":
        shop.event("Order Completed", order_id=f"o{number}", id=event_id)
    else:
        shop.event("", type="page", id=event_id)


def play(history, shop, *, twice=False, first=0):
    """Act out a history, half a second between actions. Returns when the orders were."""
    orders = []
    for number, item in enumerate(history, first):
        if item[0] == "order":
            orders.append(shop.clock.now())
        do(shop, number, item)
        if twice and item[0] != "wait":
            do(shop, number, item)
        shop.clock.advance(0.5)
    return orders


def fresh():
    shop = Engine(delivers=True)
    shop.subscriber()
    return shop


def told(shop):
    return [(t.trigger_id, t.due, [(i.product_id, i.quantity) for i in t.content.items]) for t in shop.triggers]


@given(HISTORIES)
@settings(max_examples=300, deadline=None)
def test_nobody_is_written_to_within_a_day_after_an_order(history):
    shop = fresh()
    orders = play(history, shop)
    shop.wait(2 * DAY)
    for trigger in shop.triggers:
        assert not any(trigger.fired_at - DAY < at <= trigger.fired_at for at in orders)


@given(HISTORIES)
@settings(max_examples=300, deadline=None)
def test_sixteen_hours_lie_between_two_marketing_mails(history):
    shop = fresh()
    play(history, shop)
    shop.wait(2 * DAY)
    times = sorted(trigger.fired_at for trigger in shop.triggers)
    assert all(later - earlier >= 16 * HOUR for earlier, later in zip(times, times[1:], strict=False))


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_every_event_twice_gives_the_same_triggers(history):
    once, twice = fresh(), fresh()
    play(history, once)
    play(history, twice, twice=True)
    once.wait(2 * DAY)
    twice.wait(2 * DAY)
    assert told(once) == told(twice)


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_a_trigger_is_never_early_and_its_id_is_its_own(history):
    shop = fresh()
    play(history, shop)
    shop.wait(2 * DAY)
    assert all(trigger.fired_at >= trigger.due for trigger in shop.triggers)
    assert len({trigger.trigger_id for trigger in shop.triggers}) == len(shop.triggers)


@given(HISTORIES, st.integers(0, 39))
@settings(max_examples=200, deadline=None)
def test_a_restart_with_timers_rebuilt_from_state_changes_nothing(history, at):
    plain, restarted = fresh(), fresh()
    play(history, plain)
    plain.wait(2 * DAY)
    play(history[:at], restarted)
    restart(restarted)
    play(history[at:], restarted, first=len(history[:at]))
    restarted.wait(2 * DAY)
    assert told(plain) == told(restarted)


def restart(shop):
    """What a recovery does: only the packed rows are left, and timers are rebuilt from them."""
    for part in shop.table.parts.values():
        rows = packed_rows()
        for key, cell in part.packed.cells.items():
            rows.put_packed(key, cell.packed)
        part.packed.close()
        part.packed.cells.clear()
        part.packed.cells.update(rows.cells)
        part.rebuild_timers(shop.behaviour.wake_of)


@given(HISTORIES, HISTORIES)
@settings(max_examples=200, deadline=None)
def test_linking_a_visitor_never_makes_two_messages_of_one_silence(first, second):
    shop = fresh()
    for number, (action, what) in enumerate(first):
        if action in ("add", "view"):
            name = "Product Added" if action == "add" else "Product Viewed"
            shop.event(name, None, anonymous="a1", product_id=what, id=f"a{number}")
        elif action == "wait" and what < HOUR:
            shop.wait(what)
    play(second, shop)
    shop.identify("u1", anonymous="a1")
    shop.wait(2 * DAY)
    times = sorted(trigger.fired_at for trigger in shop.triggers)
    assert all(later - earlier >= 16 * HOUR for earlier, later in zip(times, times[1:], strict=False))
    assert {trigger.customer for trigger in shop.triggers} <= {"u1"}
