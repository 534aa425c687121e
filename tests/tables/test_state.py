"""Pieces of a customer's state, one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import moment
from app.model.event import Consent, Event, Line, Properties, Traits
from tables import shelf
from tables.apply import apply
from tables.customer import SEEN, SHELF_ITEMS, Customer, Permission, Shelf
from tables.profile import set_consent
from tables.signals import CART_CHANGED, CART_EMPTIED, CATEGORY_VIEWED, CONSENT_CHANGED, ORDERED, PRODUCT_VIEWED
from tables.views import VIEWS
from tables.windows import push, session_start

NOW = 1_700_000_000.0


def event(name, at=NOW, /, id="m", **properties):
    products = properties.pop("products", None)
    if products is not None:
        properties["products"] = [Line(**line) for line in products]
    return Event("track", moment(at), name, id, "u", properties=Properties(**properties))


def test_a_session_ends_after_half_an_hour_of_silence():
    assert session_start(100.0, 200.0, 2000.0) == 100.0
    assert session_start(100.0, 200.0, 2001.0) == 2001.0
    assert session_start(5000.0, 6000.0, 100.0) == 5000.0


def test_a_late_event_finds_its_place_and_the_oldest_goes():
    class Item:
        def __init__(self, at):
            self.at = at

    ring = None
    for at in (1.0, 3.0, 2.0, 4.0):
        ring = push(ring, Item(at), 3)
    assert [item.at for item in ring] == [2.0, 3.0, 4.0]


def test_activity_never_goes_back():
    customer = Customer()
    apply(customer, event("Product Viewed", NOW + 100, product_id="a"), NOW + 100)
    apply(customer, event("Product Viewed", NOW, product_id="b"), NOW)
    assert customer.last_seen == NOW + 100
    assert [view.product.product_id for view in customer.views] == ["b", "a"]


def test_views_are_a_ring_of_different_products():
    customer = Customer()
    for number in range(VIEWS + 5):
        apply(customer, event("Product Viewed", NOW + number, product_id=f"p{number}"), NOW + number)
    assert apply(customer, event("Product Viewed", NOW + 99, product_id="p10"), NOW + 99) == (PRODUCT_VIEWED,)
    assert len(customer.views) == VIEWS
    assert [*customer.views][-1].product.product_id == "p10"


def test_three_products_of_one_category_are_a_category_view_and_the_same_one_thrice_is_not():
    customer = Customer()
    for number in range(3):
        signals = apply(customer, event("Product Viewed", NOW + number, product_id="same", category="c"), NOW + number)
    assert CATEGORY_VIEWED not in signals
    for number in range(3):
        at = NOW + 10 + number
        signals = apply(customer, event("Product Viewed", at, product_id=f"p{number}", category="c"), at)
    assert CATEGORY_VIEWED in signals


def test_quantities_add_up_and_go_down():
    customer = Customer()
    assert apply(customer, event("Product Added", id="1", product_id="a", quantity=2.0), NOW) == (CART_CHANGED,)
    apply(customer, event("Product Added", id="2", product_id="a"), NOW + 1)
    assert customer.cart.lines[0].quantity == 3
    assert apply(customer, event("Product Removed", id="3", product_id="a", quantity=1.0), NOW + 2) == (CART_CHANGED,)
    assert apply(customer, event("Product Removed", id="4", product_id="a"), NOW + 3) == (CART_EMPTIED,)
    assert customer.cart is None


def test_removing_what_is_not_there_changes_nothing():
    customer = Customer()
    assert apply(customer, event("Product Removed", product_id="a"), NOW) == ()
    apply(customer, event("Product Added", id="1", product_id="a"), NOW)
    assert apply(customer, event("Product Removed", id="2", product_id="b"), NOW) == ()


def test_a_removal_that_comes_late_takes_nothing_that_was_added_after_it():
    customer = Customer()
    apply(customer, event("Product Added", id="2", product_id="a"), NOW + 2)
    assert apply(customer, event("Product Removed", id="1", product_id="a"), NOW + 1) == ()
    assert apply(customer, event("Product Added", id="0", product_id="a"), NOW) == ()  # later still, and removed
    assert [(line.product_id, line.quantity) for line in customer.cart.lines] == [("a", 1.0)]
    assert apply(customer, event("Product Removed", id="3", product_id="a"), NOW + 3) == (CART_EMPTIED,)


@given(st.lists(st.tuples(st.sampled_from(["Added", "Removed"]), st.sampled_from("abc")), max_size=12), st.randoms())
def test_what_is_in_the_cart_does_not_depend_on_the_order_in_which_it_is_told(history, random):
    told = [(event(f"Product {name}", id=f"{n}", product_id=what), NOW + n) for n, (name, what) in enumerate(history)]
    carts = []
    for order in (told, random.sample(told, len(told))):
        customer = Customer()
        for one, at in order:
            apply(customer, one, at)
        carts.append({line.product_id for line in customer.cart.lines} if customer.cart is not None else set())
    assert carts[0] == carts[1]


@given(st.lists(st.sampled_from(["lamp", "chair", "sofa"]), max_size=8), st.randoms())
def test_what_was_searched_does_not_depend_on_the_order_in_which_it_is_told(queries, random):
    told = [(event("Products Searched", query=query, results=n), NOW + n) for n, query in enumerate(queries)]
    found = []
    for order in (told, random.sample(told, len(told))):
        customer = Customer()
        for one, at in order:
            apply(customer, one, at)
        found.append([(search.query, search.at, search.results) for search in customer.searches or ()])
    assert found[0] == found[1]


def test_a_late_view_makes_no_category_older_than_it_is():
    customer = Customer()
    for number, at in enumerate((NOW, NOW + 10, NOW + 20, NOW + 30)):
        apply(customer, event("Product Viewed", product_id=f"p{number}", category="shoes"), at)
    assert apply(customer, event("Product Viewed", product_id="p9", category="shoes"), NOW + 25)[1:] == (
        CATEGORY_VIEWED,
    )
    assert [(item.category, item.at) for item in customer.categories] == [("shoes", NOW + 30)]


def test_a_cart_view_is_a_snapshot_and_one_without_change_is_silent():
    customer = Customer()
    apply(customer, event("Product Added", id="1", product_id="a", name="Lamp", price=5.0), NOW)
    same = event("Cart Viewed", NOW + 5, products=[{"product_id": "a", "quantity": 1.0}])
    assert apply(customer, same, NOW + 5) == ()
    other = event("Cart Viewed", NOW + 6, products=[{"product_id": "a", "quantity": 2.0}, {"product_id": "b"}])
    assert apply(customer, other, NOW + 6) == (CART_CHANGED,)
    assert [(line.product_id, line.quantity, line.name) for line in customer.cart.lines] == [
        ("a", 2.0, "Lamp"),
        ("b", 1.0, ""),
    ]
    assert apply(customer, event("Cart Viewed", NOW + 1, products=[]), NOW + 1) == ()
    assert apply(customer, event("Cart Viewed", NOW + 9, products=[]), NOW + 9) == (CART_EMPTIED,)


def test_the_same_cart_event_counts_once_within_the_last_few():
    customer = Customer()
    for number in range(SEEN):
        apply(customer, event("Product Added", id=f"{number}", product_id="a"), NOW)
    assert apply(customer, event("Product Added", id="0", product_id="a"), NOW) == ()
    assert len(customer.seen) == 8 * SEEN


def test_an_order_counts_once_and_sums_up():
    customer = Customer()
    for _ in range(2):
        assert apply(customer, event("Order Completed", order_id="o1", total=10.0), NOW) == (ORDERED,)
    apply(customer, event("Order Completed", NOW + 5, order_id="o2", total=5.0), NOW + 5)
    assert (customer.orders.count, customer.orders.total, customer.orders.first_at, customer.orders.last_at) == (
        2,
        15.0,
        NOW,
        NOW + 5,
    )


@pytest.mark.parametrize(
    ("first", "second", "granted"), [((True, 1.0), (False, 2.0), False), ((False, 2.0), (True, 1.0), False)]
)
def test_the_newest_word_on_consent_counts_in_any_order(first, second, granted):
    customer = Customer()
    for word in (first, second):
        set_consent(customer, "email", Permission(*word))
    assert customer.consent["email"].granted is granted


def test_consent_is_told_once():
    customer = Customer()
    identify = Event(
        "identify", moment(NOW), traits=Traits(consent={"email": Consent(True)}), source="server", userId="u"
    )
    assert apply(customer, identify, NOW) == (CONSENT_CHANGED,)
    assert apply(customer, identify, NOW + 1) == ()


def test_a_shelf_keeps_the_cheapest_and_offers_what_others_saw():
    rack = Shelf(items=[])
    for price in range(20, 0, -1):
        shelf.put(rack, Properties(f"p{price}", price=float(price)), "ann", NOW)
    assert [item.price for item in rack.items] == [float(price) for price in range(1, SHELF_ITEMS + 1)]
    assert shelf.cheapest(rack, "ann", (), NOW, 3) == []
    assert [line.product_id for line in shelf.cheapest(rack, "bob", {"p1"}, NOW, 2)] == ["p2", "p3"]
    assert not shelf.put(rack, Properties("dear", price=99.0), "bob", NOW)
    assert not shelf.put(rack, Properties("free", price=0.0), "bob", NOW)
    assert shelf.put(rack, Properties("p1", price=1.0), "bob", NOW)
    assert [line.product_id for line in shelf.cheapest(rack, "ann", (), NOW, 3)] == ["p1"]
    assert shelf.cheapest(rack, "bob", (), NOW + 8 * 86_400, 3) == []
