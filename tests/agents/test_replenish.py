"""What is bought again and again: predicted by the times between purchases, told before, taken back when it is bought."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from agents.decide import Decider
from agents.journeys.clock import slots_of
from agents.journeys.replenish import predicted
from agents.scenarios.language import Slots
from agents.scenarios.load import parse
from agents.scenarios.unarmed import standings
from app.clock import moment
from app.codec import encode_json
from app.explain import story
from app.model.event import Event, Line, Properties
from app.model.reasons import Reason
from app.topics import CLICKSTREAM
from channels.formats import booking, slot
from tables import purchases
from tables.customer import Customer
from tests.driver import DAY, HOUR, Engine

FILE = """\
id: again
version: 1
title: Soon used up
family: again
priority: 10
entry:
  replenish: {{of: {of}, ahead: {ahead}}}
reentry: always
cap: 0s
steps:
  - message: {{channel: email, template: replenishment{slots}}}
  - delay: 10d
  - message: {{channel: email, template: replenishment}}
"""


def scenario(of="product", ahead="3d", slots="", **more):
    return parse(FILE.format(of=of, ahead=ahead, slots=slots), **more)


def shop(*scenarios, **options):
    engine = Engine(scenarios or [scenario()], delivers=True, **options)
    engine.subscriber()
    return engine


def buy(engine, *products, user="u1", **more):
    return engine.order(user, total=1.0, products=[{"product_id": one, "category": "food"} for one in products], **more)


def times(*days):
    return [day * DAY for day in days]


# -- the prediction


def test_the_next_time_is_the_median_of_the_times_between_after_the_last():
    found = predicted(times(0, 30, 58), DAY)
    assert (found.at, found.every, found.gaps) == (87 * DAY, 29 * DAY, 2)
    assert predicted(times(0, 10, 20, 90), DAY).at == 100 * DAY  # one long break says little
    assert predicted(times(0, 30), DAY) is None
    assert predicted([], DAY) is None


def test_orders_of_one_day_are_one_purchase():
    assert predicted(times(0, 0.2, 0.4), DAY) is None
    assert predicted(times(0, 30, 30.5, 60), DAY).at == 90 * DAY


# -- journeys


def test_a_journey_begins_ahead_of_the_predicted_moment_and_says_on_what_it_stands():
    engine = shop()
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30 * DAY)
    assert engine.fired == ["again"]
    (begun,) = [line for line in engine.journal if line.reason == Reason.JOURNEY_BEGUN]
    assert begun.detail["key"] == "tea"
    assert begun.detail["every"] == 30 * DAY
    assert begun.detail["predicted"] - begun.at == 3 * DAY
    assert [line.product_id for line in engine.triggers[0].content.items] == ["tea"]
    (told,) = [text for text in story([begun]) if "again began" in text]
    assert "key: tea, predicted: 2024-02-12 22:13:20, every: 30 d, gaps: 2" in told


def test_of_one_purchase_it_is_told_once():
    engine = shop()
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30 * DAY)
    engine.wait(300 * DAY)
    assert engine.fired == ["again", "again"]
    assert engine.reasons("again").count(Reason.JOURNEY_BEGUN) == 1


def test_products_have_journeys_side_by_side_and_each_ends_by_its_own_purchase():
    engine = shop()
    for _ in range(3):
        buy(engine, "tea", "rice")
        engine.wait(30 * DAY)
    assert engine.fired == ["again", "again"]
    buy(engine, "tea")
    assert [journey.key for journey in engine.customer().engagement.journeys] == ["rice"]
    (ended,) = [line for line in engine.journal if line.reason == Reason.GOAL_REACHED]
    assert ended.detail["bought"] == "tea"


def test_what_is_with_the_sender_is_called_back_when_it_is_bought():
    engine = Engine([scenario()])
    engine.subscriber()
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(27 * DAY)
    assert engine.fired == ["again"]
    buy(engine, "tea")
    assert [cancel.trigger_id for cancel in engine.cancels] == [engine.triggers[0].trigger_id]


def test_an_order_that_is_told_late_takes_it_back_as_well():
    engine = shop()
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30 * DAY)
    assert len(engine.customer().engagement.journeys) == 1
    buy(engine, "tea", at=engine.clock.now() - 5 * DAY)  # before the journey began, and after the last that was known
    assert engine.customer().engagement.journeys is None


def test_an_old_order_that_is_imported_takes_nothing_back_and_moves_the_prediction():
    engine = shop()
    start = engine.clock.now()
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30 * DAY)
    imported(engine, "tea", start - 60 * DAY)
    assert len(engine.customer().engagement.journeys) == 1
    assert [round((at - start) / DAY) for at in engine.customer().engagement.bought[0].times] == [-60, 0, 30, 60]


def imported(engine, product, at):
    event = Event(
        "track", moment(at), "Order Completed", f"old{at}", "u1", source="server", historical=True,
        properties=Properties(order_id=f"old{at}", total=1.0, products=[Line(product)]),
    )  # fmt: skip
    engine.record(CLICKSTREAM.name, "u1", encode_json(event))


def test_a_history_that_is_imported_is_enough():
    engine = shop()
    for days in (70, 40, 10):
        imported(engine, "tea", engine.clock.now() - days * DAY)
    engine.wait(16 * DAY)
    assert engine.fired == []
    engine.wait(2 * DAY)
    assert engine.fired == ["again"]


def test_a_moment_that_was_long_past_when_the_orders_were_told_is_told_as_too_late():
    engine = shop()
    for days in (700, 670, 640):
        imported(engine, "tea", engine.clock.now() - days * DAY)
    engine.wait(400 * DAY)
    assert engine.fired == []
    assert engine.reasons("again") == [Reason.TOO_LATE]


def test_a_category_counts_whatever_of_it_is_bought():
    engine = shop(scenario("category"))
    for product in ("tea", "rice", "oats"):
        buy(engine, product)
        engine.wait(30 * DAY)
    (trigger,) = engine.triggers
    assert trigger.content.category == "food"
    assert [line.product_id for line in trigger.content.items] == ["oats"]
    buy(engine, "sugar")
    assert engine.customer().engagement.journeys is None


def test_who_buys_more_often_than_it_looks_ahead_is_told_nothing():
    engine = shop(scenario(ahead="7d"))
    for _ in range(10):
        buy(engine, "milk")
        engine.wait(5 * DAY)
    assert engine.fired == []
    assert Reason.TOO_LATE not in engine.reasons()


def test_an_order_that_is_told_twice_counts_once():
    engine = shop()
    for number in range(4):
        products = [{"product_id": "tea"}]
        engine.event("Order Completed", order_id=f"order-{number // 2}", total=1.0, products=products)
        engine.wait(3 * DAY)
    assert len(engine.customer().engagement.bought[0].times) == 2


def test_nothing_is_kept_where_no_scenario_asks():
    engine = Engine()
    buy(engine, "tea")
    assert engine.customer().engagement is None or engine.customer().engagement.bought is None


def test_a_scenario_that_is_added_later_knows_what_another_has_kept():
    engine = shop(scenario("product", ahead="20d"))
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(9 * DAY)
    engine.decider.take([parse(FILE.format(of="product", ahead="1d", slots="").replace("again", "later"))])
    for number, part in engine.table.parts.items():
        part.rebuild_timers(engine.behaviour.rebuilding(number))
    engine.wait(DAY)
    assert engine.fired == ["later"]


def test_two_who_are_one_have_bought_what_both_did():
    engine = shop()
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30 * DAY)
    buy(engine, "tea", user=None, anonymous="a1")
    assert len(engine.customer().engagement.journeys) == 1
    engine.event("", "u1", type="identify", anonymous="a1")
    assert engine.customer().engagement.journeys is None
    assert len(engine.customer().engagement.bought[0].times) == 4
    assert engine.customer().engagement.bought[0].times[-1] <= engine.clock.now()


def test_time_scale_makes_days_short():
    engine = shop(scenario(time_scale=86_400.0))
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30.0)
    assert engine.fired[:1] == ["again"]


def test_it_is_told_why_nothing_was_begun():
    engine = shop()
    buy(engine, "tea")
    (text,) = [one.text for one in standings("u1", engine.customer(), [scenario()])]
    assert "three times at least" in text
    for _ in range(2):
        engine.wait(30 * DAY)
        buy(engine, "tea")
    (found,) = standings("u1", engine.customer(), [scenario()])
    assert found.at == engine.clock.now() + 27 * DAY


# -- what is kept


def test_of_too_many_products_the_newest_stay_and_of_each_its_last_times():
    customer = Customer()
    for number in range(purchases.NAMES + 5):
        purchases.note(customer, [Line(f"p{number}", category="c")], number * DAY, ("product", "category"))
    kept = customer.engagement.bought
    assert [one.name for one in kept if not one.is_category] == [
        f"p{number}" for number in range(5, purchases.NAMES + 5)
    ]
    (category,) = [one for one in kept if one.is_category]
    assert category.times == [number * DAY for number in range(purchases.NAMES + 5)][-purchases.TIMES :]


def test_the_fullest_row_stays_small():
    customer = Customer()
    for number in range(100):
        line = Line("p" * 500 + str(number), "n" * 200, 1.0, 1.0, "c" * 190 + str(number), "", "u" * 1_000, "i" * 1_000)
        purchases.note(customer, [line], number * DAY, ("product", "category"))
    assert len(msgspec.msgpack.encode(customer)) < 200_000


# -- times to book


def test_times_are_offered_by_the_clock_of_the_customer_from_tomorrow_on():
    zone = ZoneInfo("Europe/Berlin")
    offered = slots_of(Slots(2, (600, 900), frozenset(range(7)), "/book"), zone, moment(1_774_659_600.0).timestamp())
    # said on Saturday, 28 March 2026; clocks go forward on Sunday
    shown = [slot(at, "Europe/Berlin", "en", "https://shop.example/book") for at in offered]
    assert [(one["day"].replace("\u00a0", " "), one["time"]) for one in shown] == [
        ("Sun, 29 March", "10:00"),
        ("Sun, 29 March", "15:00"),
        ("Mon, 30 March", "10:00"),
        ("Mon, 30 March", "15:00"),
    ]
    assert shown[0]["url"] == "https://shop.example/book?at=2026-03-29T10%3A00%2B02%3A00"


def test_only_weekdays_that_count_are_offered():
    friday = 1_767_949_200.0
    offered = slots_of(Slots(2, (600,), frozenset({0, 2}), "/book"), ZoneInfo("UTC"), friday)
    assert [round((at - friday) / HOUR) for at in offered] == [73, 121]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("/book", "https://shop.example/book?product_id=a%26b"),
        ("https://call.example/x?s=1", "https://call.example/x?s=1&product_id=a%26b"),
        ("javascript:alert(1)", "https://shop.example?product_id=a%26b"),
    ],
)
def test_a_booking_leads_to_the_address_with_the_product(address, url):
    assert booking(address, "a&b", "https://shop.example") == url


def test_a_later_stage_offers_times_from_its_own_day_on():
    text = FILE.format(of="product", ahead="3d", slots="").split("steps:")[0]
    text += """\
steps:
  - cascade:
      - {channel: email, template: replenishment, wait: 2d, reaction: clicked}
      - {channel: email, template: replenishment_again}
    slots: {days: 1, at: ["10:00"]}
"""
    engine = shop(parse(text))
    for _ in range(3):
        buy(engine, "tea")
        engine.wait(30 * DAY)
    first, second = engine.triggers
    assert second.content.slots[0] - first.content.slots[0] == 2 * DAY


def test_the_scenario_of_a_decider_without_any_is_not_asked():
    assert Decider([]).wake_of(Customer(engagement=None)) is None
