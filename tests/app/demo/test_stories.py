"""What simulated shoppers do follows from the seed alone, and fits their story."""

from collections import Counter

from app.demo.catalogue import CATEGORIES, PRODUCTS, of_category, search
from app.demo.dice import Dice
from app.demo.pictures import picture
from app.demo.stories import BUYERS, CART, EMPTIED, REFUSED, STORIES, STRANGER, Shopper, shoppers

SHOP = "http://shop.example"


def people(count: int = 200, seed: int = 1, run: str = "r") -> list[Shopper]:
    return shoppers(count, seed=seed, run=run, spread=45.0, shop_url=SHOP)


def carts(shopper: Shopper) -> Counter[str]:
    """What lies in the cart after all steps."""
    cart: Counter[str] = Counter()
    for step in shopper.steps:
        name, properties = step.event.get("event"), step.event.get("properties", {})
        if name == "Product Added":
            cart[properties["name"]] += properties["quantity"]
        elif name == "Product Removed":
            cart[properties["name"]] -= properties["quantity"]
        elif name == "Order Completed":
            cart.clear()
    return +cart


def test_the_same_seed_tells_the_same_stories() -> None:
    assert people() == people()
    assert people(seed=2) != people()


def test_ids_of_two_runs_differ() -> None:
    first, second = people(run="a"), people(run="b")
    assert not {s.email for s in first} & {s.email for s in second}
    ids = [step.event["messageId"] for s in first + second for step in s.steps]
    assert len(ids) == len(set(ids))


def test_every_story_is_told_by_the_first_ten() -> None:
    assert {s.story for s in people(10)} == set(STORIES)
    assert people(1)[0].story == CART


def test_the_expected_cart_is_what_was_put_in_and_not_taken_out() -> None:
    for shopper in people(500):
        if shopper.story == CART:
            assert set(carts(shopper)) == set(shopper.cart) != set()
        elif shopper.story in BUYERS or shopper.story == EMPTIED:
            assert not carts(shopper)


def test_buyers_order_before_the_reminder_is_due() -> None:
    for shopper in people(500):
        if shopper.story in BUYERS:
            changed = [s.at for s in shopper.steps if s.event.get("event") in ("Product Added", "Product Removed")]
            ordered = next(s.at for s in shopper.steps if s.event.get("event") == "Order Completed")
            assert ordered - changed[-1] < 10


def test_only_the_server_key_tells_addresses_and_orders() -> None:
    for shopper in people():
        for step in shopper.steps:
            private = step.event["type"] == "identify" or step.event.get("event") == "Order Completed"
            assert (step.kind == "server") == private
            assert private or shopper.email not in str(step.event)


def test_strangers_have_no_address_and_the_reluctant_no_consent() -> None:
    for shopper in people():
        told = [step.event for step in shopper.steps if step.event["type"] == "identify"]
        if shopper.story == STRANGER:
            assert told == []
        else:
            assert [e["traits"]["consent"]["email"]["granted"] for e in told] == [shopper.story != REFUSED]


def test_dice_are_fair_enough_and_decided_by_their_seed() -> None:
    dice = Dice("seed", 1)
    rolls = [dice.roll() for _ in range(2000)]
    assert 0.45 < sum(rolls) / len(rolls) < 0.55
    assert all(0 <= roll < 1 for roll in rolls)
    assert Dice("seed", 1).roll() == rolls[0] != Dice("seed", 2).roll()
    assert sorted(Dice("x").some([1, 2, 3], 5)) == [1, 2, 3]
    assert {Dice("n", n).number(1, 3) for n in range(50)} == {1, 2, 3}


def test_the_catalogue_is_whole() -> None:
    assert len(PRODUCTS) == 24
    assert [len(of_category(slug)) for slug in CATEGORIES] == [6, 6, 6, 6]
    assert of_category("none") == []
    assert [p.id for p in search("WOOL grey")] == ["throw-grey"]
    assert search(" ") == []


def test_every_product_has_a_picture_of_its_own() -> None:
    pictures = {picture(product) for product in PRODUCTS.values()}
    assert len(pictures) == 24
    assert all(p.startswith("<svg") and "http://www.w3.org" in p and p.count("http") == 1 for p in pictures)
