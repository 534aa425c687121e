"""The four built-in scenarios, travelling through time."""

import pytest

from app.model.reasons import Reason
from app.model.receipt import Outcome
from tests.driver import DAY, HOUR, MINUTE, Engine


@pytest.fixture
def shop():
    engine = Engine()
    engine.subscriber()
    return engine


def test_a_cart_left_for_an_hour_fires_once_with_its_items(shop):
    shop.add("p1", name="Lamp", price=20.0)
    shop.add("p2", price=5.0, quantity=2)
    shop.wait(59 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert shop.fired == ["abandoned_cart"]
    trigger = shop.triggers[0]
    assert [(line.product_id, line.quantity) for line in trigger.content.items] == [("p1", 1), ("p2", 2)]
    assert trigger.content.value == 30.0
    assert trigger.addresses == {"email": "u1@shop.example"}
    shop.wait(2 * DAY)
    assert shop.fired == ["abandoned_cart"]


def test_each_change_of_the_cart_moves_the_deadline(shop):
    for product in ("p1", "p2", "p3"):
        shop.add(product)
        shop.wait(40 * MINUTE)
    assert shop.fired == []
    shop.wait(21 * MINUTE)
    assert shop.fired == ["abandoned_cart"]
    assert shop.triggers[0].due == shop.customer().cart.changed_at + HOUR


def test_page_views_do_not_move_the_cart(shop):
    shop.add("p1")
    shop.wait(50 * MINUTE)
    shop.event("", type="page")
    shop.wait(11 * MINUTE)
    assert shop.fired == ["abandoned_cart"]


def test_an_order_disarms_the_cart(shop):
    shop.add("p1")
    shop.wait(59 * MINUTE)
    shop.order()
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert Reason.ENDED_BY_ORDER in shop.reasons("abandoned_cart")


def test_an_emptied_cart_disarms(shop):
    shop.add("p1")
    shop.event("Product Removed", product_id="p1")
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert Reason.ENDED_BY_EMPTIED_CART in shop.reasons("abandoned_cart")


def test_an_order_within_the_last_day_holds_back_a_new_cart(shop):
    shop.order()
    shop.wait(HOUR)
    shop.add("p1")
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert Reason.RECENT_ORDER in shop.reasons("abandoned_cart")
    shop.wait(DAY)
    shop.add("p2")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart"]


def test_views_fire_three_hours_after_the_visitor_left(shop):
    shop.view("p1", category="lamps")
    shop.wait(HOUR)
    shop.event("", type="page")
    shop.wait(3 * HOUR - 1)
    assert shop.fired == []
    shop.wait(1)
    assert shop.fired == ["abandoned_product"]
    assert [line.product_id for line in shop.triggers[0].content.items] == ["p1"]


def test_views_bring_the_cheapest_similar_products_that_others_saw(shop):
    for number in range(6):
        shop.view(f"s{number}", "other", category="lamps", price=10.0 + number)
    shop.view("expensive", "other", category="lamps", price=900.0)
    shop.view("p1", category="lamps", price=50.0)
    shop.view("s1", category="lamps", price=11.0)
    shop.wait(4 * HOUR)
    content = next(trigger.content for trigger in shop.triggers if trigger.customer == "u1")
    # shelves belong to a partition: these two customers may not share one
    assert len(content.similar) in (0, 4)
    assert not {line.product_id for line in content.similar} & {"p1", "s1", "expensive"}


def test_similar_products_come_cheapest_first_within_a_partition():
    shop = Engine(partitions=1)
    shop.subscriber()
    for price in (30.0, 10.0, 20.0, 40.0, 50.0):
        shop.view(f"p{price:.0f}", "other", category="lamps", price=price)
    shop.view("mine", category="lamps")
    shop.wait(4 * HOUR)
    assert [line.product_id for line in shop.triggers[0].content.similar] == ["p10", "p20", "p30", "p40"]


def test_a_viewed_product_that_went_into_the_cart_is_not_shown_as_abandoned(shop):
    shop.view("p1")
    shop.view("p2")
    shop.add("p1")
    shop.event("Product Removed", product_id="p1")
    shop.wait(4 * HOUR)
    assert shop.fired == ["abandoned_product"]
    assert [line.product_id for line in shop.triggers[0].content.items] == ["p2"]


def test_three_products_of_a_category_within_half_an_hour_are_a_category_view(shop):
    for number in range(3):
        shop.view(f"p{number}", category="lamps")
        shop.wait(10 * MINUTE)
    assert shop.reasons("abandoned_category") == [Reason.ARMED]


def test_three_products_over_a_longer_time_are_no_category_view(shop):
    for number in range(3):
        shop.view(f"p{number}", category="lamps")
        shop.wait(16 * MINUTE)
    assert shop.reasons("abandoned_category") == []


def test_the_product_outranks_the_category_and_the_search(shop):
    shop.event("Products Searched", query="lamp", results=7)
    for number in range(3):
        shop.view(f"p{number}", category="lamps")
    shop.wait(4 * HOUR)
    assert shop.fired == ["abandoned_product"]
    assert Reason.OUTRANKED in shop.reasons("abandoned_category")
    assert Reason.OUTRANKED in shop.reasons("abandoned_search")


def test_a_search_without_a_view_fires_with_its_query(shop):
    shop.event("Products Searched", query="blue lamp", results=7)
    shop.wait(4 * HOUR)
    assert shop.fired == ["abandoned_search"]
    assert (shop.triggers[0].content.query, shop.triggers[0].content.results) == ("blue lamp", 7)


def test_one_silence_gives_one_message(shop):
    shop.view("p1")
    shop.add("p2")
    shop.wait(DAY)
    assert shop.fired == ["abandoned_cart"]
    assert Reason.ONE_PER_SILENCE in shop.reasons("abandoned_product")


def test_at_most_one_marketing_mail_in_sixteen_hours(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0])
    shop.view("p2")
    shop.wait(5 * HOUR)
    assert shop.fired == ["abandoned_cart"]
    assert Reason.CAP in shop.reasons("abandoned_product")
    shop.wait(12 * HOUR)
    shop.view("p3")
    shop.wait(4 * HOUR)
    assert shop.fired == ["abandoned_cart", "abandoned_product"]


def test_a_message_that_was_not_sent_frees_the_cap(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0], Outcome.SKIPPED)
    shop.view("p2")
    shop.wait(5 * HOUR)
    assert shop.fired == ["abandoned_cart", "abandoned_product"]


def test_the_same_scenario_comes_back_after_a_day_at_the_earliest(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.wait(17 * HOUR)
    shop.add("p2")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart"]
    assert Reason.REENTRY in shop.reasons("abandoned_cart")
    shop.wait(5 * HOUR)
    shop.add("p3")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart", "abandoned_cart"]


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        ({}, Reason.NO_ADDRESS),
        ({"email": "a@shop.example"}, Reason.NO_CONSENT),
        ({"email": "a@shop.example", "consent": False}, Reason.NO_CONSENT),
    ],
)
def test_nobody_is_written_to_without_address_and_consent(traits, reason):
    shop = Engine()
    shop.identify("u1", **traits)
    shop.add("p1")
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert reason in shop.reasons("abandoned_cart")


def test_a_browser_can_neither_set_an_address_nor_give_consent():
    shop = Engine()
    shop.identify("u1", email="a@shop.example", consent=True, source="browser", first_name="Ann")
    assert shop.customer().profile.first_name == "Ann"
    assert shop.customer().profile.email == ""
    assert shop.customer().consent is None


def test_an_order_calls_back_what_has_fired_but_was_not_handed_over(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.order()
    assert [(cancel.trigger_id, cancel.reason) for cancel in shop.cancels] == [
        (shop.triggers[0].trigger_id, Reason.GOAL_REACHED)
    ]
    shop.order()
    assert len(shop.cancels) == 1


def test_a_late_order_of_the_last_day_calls_back_what_has_fired(shop):
    before = shop.clock.now() - HOUR
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.order(at=before)
    assert [cancel.reason for cancel in shop.cancels] == [Reason.GOAL_REACHED]


def test_nothing_is_called_back_after_the_message_was_sent(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0])
    shop.order()
    assert shop.cancels == []


def test_an_unsubscribe_withdraws_consent_and_then_there_is_silence(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0])
    shop.receipt(shop.triggers[0], Outcome.UNSUBSCRIBED)
    shop.wait(2 * DAY)
    shop.add("p2")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart"]
    assert Reason.NO_CONSENT in shop.reasons("abandoned_cart")


def test_a_nightly_true_does_not_undo_an_unsubscribe_and_a_new_form_does(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0])
    shop.receipt(shop.triggers[0], Outcome.UNSUBSCRIBED)
    shop.wait(2 * DAY)
    shop.identify("u1", email="u1@shop.example", consent=True)
    assert not shop.customer().consent["email"].granted
    shop.identify("u1", email="u1@shop.example", consent=True, consent_source="form of the spring sale")
    assert shop.customer().consent["email"].granted


def test_a_trigger_says_on_which_consent_it_stands_if_that_says_where_it_was_given(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    assert shop.triggers[0].consent_at == {}
    shop.wait(2 * DAY)
    given = shop.clock.now()
    shop.identify("u1", email="u1@shop.example", consent=True, consent_source="form of the spring sale")
    shop.wait(7 * DAY)
    shop.add("p2")
    shop.wait(61 * MINUTE)
    assert shop.triggers[1].consent_at == {"email": given}


def test_a_hard_bounce_silences_the_channel(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0], Outcome.BOUNCED)
    shop.wait(2 * DAY)
    shop.add("p2")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart"]
    assert Reason.SUPPRESSED in shop.reasons("abandoned_cart")
    shop.identify("u1", email="new@shop.example")
    shop.wait(2 * DAY)
    shop.add("p3")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart", "abandoned_cart"]


def test_a_late_order_still_ends_what_it_bought(shop):
    shop.add("p1")
    before = shop.clock.now() + 10
    shop.wait(30 * MINUTE)
    shop.order(at=before)
    shop.wait(2 * HOUR)
    assert shop.fired == []


def test_a_late_order_leaves_a_newer_cart_alone_but_the_day_after_an_order_is_silent(shop):
    shop.wait(MINUTE)
    before = shop.clock.now() - 10
    shop.add("p1")
    shop.order(at=before)
    assert shop.customer().cart.lines[0].product_id == "p1"
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert Reason.RECENT_ORDER in shop.reasons("abandoned_cart")


def test_an_addition_that_arrives_after_its_order_arms_nothing(shop):
    added_at = shop.clock.now()
    shop.wait(MINUTE)
    shop.order()
    shop.add("p1", at=added_at)
    assert shop.customer().cart is None
    shop.wait(2 * DAY)
    assert shop.fired == []


def test_an_event_twice_counts_once(shop):
    shop.add("p1", id="twice")
    shop.add("p1", id="twice")
    shop.wait(2 * HOUR)
    assert [line.quantity for line in shop.triggers[0].content.items] == [1]


def test_historical_events_arm_nothing(shop):
    from app.clock import moment
    from app.model.event import Event, Properties

    for name in ("Product Viewed", "Product Added", "Products Searched"):
        shop.feed(
            Event(
                "track",
                moment(shop.clock.now() - 30 * DAY),
                name,
                name,
                "u1",
                properties=Properties("p", query="q"),
                historical=True,
            )
        )
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert "armed" not in shop.reasons()
    assert shop.reasons().count(Reason.HISTORICAL) == 3


def test_what_is_far_too_late_is_dropped_with_a_reason(shop):
    shop.add("p1")
    shop.clock.advance(3 * DAY)  # an outage: nobody looked at the timers
    shop.wait(0)
    assert shop.fired == []
    assert Reason.TOO_LATE in shop.reasons("abandoned_cart")


def test_the_same_history_gives_the_same_trigger_ids():
    def ids():
        shop = Engine()
        shop.subscriber()
        shop.add("p1", id="a")
        shop.wait(2 * HOUR)
        return [trigger.trigger_id for trigger in shop.triggers]

    assert ids() == ids() != []
