"""What a user takes out of the cart that is on its way to him counts the same, whichever partition is read first (ADR 8)."""

import pytest

from app.clock import moment
from app.model.event import Event
from tests.driver import DAY, MINUTE, Engine


@pytest.fixture
def shop():
    return Engine()


@pytest.mark.parametrize("arrives", ["before", "after"])
def test_who_takes_one_of_three_out_has_two_left_whether_his_cart_has_arrived_or_not(shop, arrives):
    shop.subscriber("u1")
    began = shop.clock.now()
    shop.wait(MINUTE)
    shop.add("p1", None, anonymous="a1", at=began + 1, quantity=3)

    def login():
        shop.feed(Event("identify", moment(began + 10), messageId="login", userId="u1", anonymousId="a1"))

    if arrives == "before":
        login()
    shop.event("Product Removed", "u1", at=began + 20.0, product_id="p1", quantity=1)
    if arrives == "after":
        login()
    shop.wait(DAY)
    assert [[(item.product_id, item.quantity) for item in one.content.items] for one in shop.triggers] == [
        [("p1", 2.0)]
    ]
