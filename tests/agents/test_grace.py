"""A deadline that was put off has a grace of its own, whatever timer happened to come up."""

from tests.driver import HOUR, Engine


def test_a_postponed_deadline_waits_for_its_own_grace():
    shop = Engine(grace=2.0)
    shop.subscriber()
    shop.view("p1", category="lamps")
    shop.clock.advance(1.5)
    shop.view("p2", category="lamps")
    left = shop.clock.now()
    shop.wait(4 * HOUR)
    assert [(trigger.due, trigger.fired_at) for trigger in shop.triggers] == [(left + 3 * HOUR, left + 3 * HOUR + 2.0)]


def test_an_order_within_the_grace_of_a_postponed_deadline_is_in_time():
    shop = Engine(grace=2.0)
    shop.subscriber()
    shop.view("p1", category="lamps")
    shop.clock.advance(1.5)
    shop.view("p2", category="lamps")
    shop.wait(3 * HOUR + 1.0)  # the first view's time is over, grace included; the second's is not
    shop.order()
    shop.wait(4 * HOUR)
    assert not shop.triggers
