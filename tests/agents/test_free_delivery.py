"""From what sum delivery is free where the customer lives: read from the policy, decided by the profile, told in messages."""

import pytest

from agents.policy import parse_policy
from agents.scenarios.language import ScenarioError
from app.model.trigger import Content, Delivery
from app.web.collector.profile import custom
from channels import examples
from channels.render import TEMPLATES, Templates
from tests.driver import HOUR, Engine

POLICY = """\
currency: EUR
delivery:
  - {region: [Berlin, Potsdam], free_from: 50}
  - {region: Бавария, free_from: 80, hint: {ru: До двери даром}}
  - {region: Hamburg, free_from: 0}
"""


def told(policy=POLICY, *, price=20.0, **traits):
    """What the mail about an abandoned cart says of delivery."""
    shop = Engine(policy=parse_policy(policy))
    shop.subscriber(**traits)
    shop.add("lamp", price=price, currency="EUR")
    shop.wait(2 * HOUR)
    (trigger,) = shop.triggers
    return trigger.content.delivery


def test_the_city_of_the_profile_names_the_region_and_the_cart_says_what_is_left():
    assert told(city=" berlin ") == Delivery("berlin", 50.0, "EUR", 30.0)
    assert told(city="Potsdam", price=60.0) == Delivery("Potsdam", 50.0, "EUR", 0.0, reached=True)


def test_the_region_goes_before_the_city_and_a_region_that_nobody_knows_leaves_it_the_word():
    assert told(city="Berlin", custom={"region": "Бавария"}) == Delivery(
        "Бавария", 80.0, "EUR", 60.0, hints={"ru": "До двери даром"}
    )
    assert told(city="Berlin", custom={"region": "Prussia"}).region == "Berlin"
    assert told(city="Berlin", custom={"region": 7.0}).region == "Berlin"


@pytest.mark.parametrize("traits", [{}, {"city": "Vienna"}, {"city": ""}])
def test_an_unknown_region_gets_no_hint(traits):
    assert told(**traits) is None


def test_a_shop_that_tells_nothing_of_delivery_hints_at_nothing():
    assert told("currency: EUR\n", city="Berlin") is None


def test_the_state_of_an_address_is_the_region_unless_the_shop_names_it():
    assert custom({"address": {"state": "Bayern", "city": "München"}}) == {"region": "Bayern"}
    assert custom({"address": {"state": "Bayern"}, "region": "Süd"}) == {"region": "Süd"}
    assert custom({"address": {"state": 7}}) == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("free_from: 50", "free_from: -1", "line 3: delivery 1.free_from: must be"),
        ("free_from: 50", "free_from: much", "line 3: delivery 1.free_from: a number"),
        ("[Berlin, Potsdam]", "[]", "line 3: delivery 1.region: name a region or a city"),
        ("Hamburg", "' '", "line 5: delivery 3.region: name a region or a city"),
        ("Hamburg", "BERLIN", "line 5: delivery 3.region: 'berlin' stands in line 1 of `delivery` too"),
        ("{ru:", "{xx:", "line 4: delivery 2.hint.xx: there is no such language; there are: en, ru"),
        ("hint:", "hnit:", "line 4: delivery 2.hnit: there is no such field; did you mean 'hint'"),
    ],
)
def test_a_faulty_line_is_refused_with_its_number_and_advice(old, new, expected):
    with pytest.raises(ScenarioError) as refused:
        parse_policy(POLICY.replace(old, new))
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("delivery", "en", "ru"),
    [
        (Delivery("Berlin", 50.0, "EUR"), "Delivery to Berlin is free from €50.", "Бесплатная доставка от 50 €: Berlin."),
        (Delivery("Berlin", 50.0, "EUR", 9.5), "€9.50 more, and delivery to Berlin is free.", "не хватает 9,50 €."),
        (Delivery("Berlin", 50.0, "EUR", reached=True), "is free for this order.", "Доставка этого заказа бесплатна: Berlin."),
        (Delivery("Berlin", 0.0), "Delivery to Berlin is free.", "Бесплатная доставка: Berlin."),
        (Delivery("Berlin", 9.0, hints={"en": "To <your> door", "ru": "До двери"}), "To <your> door", "До двери"),
    ],
)  # fmt: skip
def test_the_templates_say_it_in_both_languages_in_the_mail_and_its_text(delivery, en, ru):
    templates = Templates(TEMPLATES)
    for locale, expected in (("en", en), ("ru", ru)):
        for name in ("abandoned_cart", "price_drop"):
            trigger = examples.example_of(name, locale)
            trigger.content = Content(items=trigger.content.items, delivery=delivery)
            texts = templates.render(name, trigger, "https://shop.example/u/x")
            assert expected in texts.text.replace("\u00a0", " ")
            assert expected.replace("<", "&lt;").replace(">", "&gt;") in texts.html.replace("\u00a0", " ")
            trigger.content = Content(items=trigger.content.items)
            assert expected not in templates.render(name, trigger, "https://shop.example/u/x").text
