"""Why nothing was armed: from what the state still knows."""

import pytest

from agents.scenarios.load import load_folder, parse
from agents.scenarios.unarmed import standings
from app import cli
from tables.customer import Customer
from tests.agents.test_scenario_files import GOOD
from tests.driver import BUILT_IN, DAY, HOUR, Engine

SCENARIOS = load_folder(BUILT_IN)


def told(shop, scenario, scenarios=SCENARIOS):
    row = shop.customer()
    return [(item.text, item.at) for item in standings("u1", row, scenarios) if item.scenario == scenario]


@pytest.fixture
def shop():
    engine = Engine(delivers=True)
    engine.subscriber()
    return engine


def test_what_was_never_seen_is_named(shop):
    assert told(shop, "abandoned_cart") == [("was never armed, or long ago: nothing is known of cart_changed", 0.0)]


def test_what_is_armed_is_told_with_its_deadline(shop):
    shop.add("p1")
    assert told(shop, "abandoned_cart") == [("is armed, and due at", shop.clock.now() + HOUR)]


def test_an_order_that_followed_is_named(shop):
    shop.event("Products Searched", query="lamp")
    shop.wait(60)
    shop.order()
    ((text, at),) = told(shop, "abandoned_search")
    assert "followed by an order" in text and at == shop.clock.now()


def test_what_fired_is_told_until_something_begins_it_again(shop):
    shop.add("p1")
    shop.wait(HOUR)
    fired = shop.clock.now()
    shop.wait(HOUR)
    ((text, at),) = told(shop, "abandoned_cart")
    assert "last fired" in text and at == fired


def test_what_was_seen_and_is_armed_no_more_leads_to_the_journal(shop):
    shop.view("p1")
    shop.add("p2")
    shop.wait(DAY)
    ((text, _),) = told(shop, "abandoned_product")
    assert "the journal tells" in text


def test_a_missing_consent_is_a_barrier():
    shop = Engine()
    shop.identify("u1", email="u1@shop.example")
    assert [text for text, _ in told(shop, "abandoned_cart")][1] == "would say nothing: no_consent (email)"


def test_events_of_the_shop_are_told_as_not_kept(shop):
    ((text, _),) = told(shop, "wish", [parse(GOOD)])
    assert "whether Product Added to Wishlist was seen the state does not keep" in text


def test_a_stopped_scenario_says_so():
    stopped = parse(GOOD + "stopped: true\n")
    assert [item.text for item in standings("u1", Customer(), [stopped])][1] == "would say nothing: it is stopped"


def test_it_tells_of_now_and_of_scenarios_that_there_are(capsys):
    assert cli.main(["explain", "anna", "--why-not", "--at", "2026-01-05"]) == 2
    assert cli.main(["explain", "anna", "--why-not", "--scenario", "nothing"]) == 1
    assert "there is no scenario 'nothing'" in capsys.readouterr().err
