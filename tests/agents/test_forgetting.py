"""Visitors without a name who stay away are forgotten; users, and visitors who come, are not."""

from agents import forgetting
from agents.forgetting import Forgetting
from tests.driver import DAY, Engine


def rounds(shop, keeper):
    keeper_left = True
    while keeper_left:
        shop.table.run(0, lambda step: keeper.look(step, shop.clock.now()))
        keeper_left = bool(keeper._left)


def test_a_visitor_who_stays_away_is_forgotten_and_a_user_is_not():
    shop = Engine(partitions=1)
    shop.view("p1", None, anonymous="gone")
    shop.view("p1", "user")
    shop.wait(80 * DAY)
    shop.view("p1", None, anonymous="here")
    shop.wait(20 * DAY)
    keeper = Forgetting(90 * DAY)
    assert keeper.is_due(shop.clock.now())
    rounds(shop, keeper)
    assert shop.customer("anon:gone") is None
    assert shop.customer("anon:here") is not None
    assert shop.customer("user") is not None
    assert keeper.forgotten == 1
    assert not keeper.is_due(shop.clock.now())
    assert keeper.is_due(shop.clock.now() + DAY)


def test_a_visitor_who_talks_is_not_forgotten_while_the_dialog_lasts():
    shop = Engine(partitions=1)
    shop.view("p1", None, anonymous="talks")
    shop.wait(25 * DAY)
    shop.asks(key="anon:talks")
    shop.wait(10 * DAY)
    rounds(shop, Forgetting(30 * DAY))
    assert shop.customer("anon:talks").dialogs is not None
    assert len(shop.board) == 1
    shop.wait(31 * DAY)
    assert shop.board == {}
    rounds(shop, Forgetting(30 * DAY))
    assert shop.customer("anon:talks") is None


def test_a_forwarding_pointer_stays():
    shop = Engine(partitions=1)
    shop.view("p1", None, anonymous="a1")
    shop.subscriber("u1", anonymous="a1")
    shop.wait(200 * DAY)
    rounds(shop, Forgetting(90 * DAY))
    assert shop.customer("anon:a1").owner == "u1"


def test_a_round_goes_in_slices(monkeypatch):
    monkeypatch.setattr(forgetting, "SLICE", 3)
    shop = Engine(partitions=1)
    for number in range(10):
        shop.view("p1", None, anonymous=f"a{number}")
    shop.wait(100 * DAY)
    keeper = Forgetting(90 * DAY)
    shop.table.run(0, lambda step: keeper.look(step, shop.clock.now()))
    assert keeper.forgotten == 3
    rounds(shop, keeper)
    assert keeper.forgotten == 10
