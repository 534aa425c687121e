"""The demo's own judgement: it must see a broken promise."""

from typing import Any

import pytest

from app.demo.stories import BUYER, CART, EMPTIED, REFUSED, RETURNED, STRANGER, VIEWER, Shopper
from app.demo.watch import Watch

NAMES = ["Blue mug", "Round teapot"]


def watch(story: str) -> Watch:
    return Watch([Shopper(story, "Ada", "ada-1", "a1", "ada@customers.example", 0.0, list(NAMES))])


def mail(number: int = 1, **changes: Any) -> dict[str, Any]:
    text = "Your cart:\n- Blue\n  mug: 12\n- Round teapot: 40\n"
    return {"id": number, "to": "ada@customers.example", "subject": "Your cart", "scenario": "abandoned_cart",
            "sent_at": 120.0, "text": text, **changes}  # fmt: skip


def test_the_first_cart_mail_is_told_with_its_items_and_its_second() -> None:
    watching = watch(CART)
    findings = watching.take([mail(), mail(2)], 100.0)
    assert len(findings) == 1
    assert "20 s after the start" in findings[0].text
    assert all(name in findings[0].text for name in NAMES)
    assert not watching.wrong
    assert watching.mails == {"abandoned_cart": 2}


def test_a_mail_is_counted_once_however_often_it_is_seen() -> None:
    watching = watch(CART)
    watching.take([mail()], 100.0)
    assert watching.take([mail()], 100.0) == []
    assert watching.mails.total() == 1


def test_mails_of_an_earlier_run_are_not_ours() -> None:
    watching = watch(BUYER)
    assert watching.take([mail(sent_at=99.0), mail(2, to="old.3@customers.example")], 100.0) == []
    assert not watching.wrong
    assert not watching.mails
    assert watching.earlier == 1


@pytest.mark.parametrize("story", [BUYER, RETURNED, REFUSED, STRANGER])
@pytest.mark.parametrize("scenario", ["abandoned_cart", "abandoned_product", ""])
def test_a_mail_to_somebody_who_must_get_none_is_a_broken_promise(story: str, scenario: str) -> None:
    watching = watch(story)
    findings = watching.take([mail(scenario=scenario)], 100.0)
    assert [f.bad for f in findings] == [True]
    assert len(watching.wrong) == 1
    assert watching.buyers_with_mail == (story in (BUYER, RETURNED))


@pytest.mark.parametrize("story", [VIEWER, EMPTIED])
def test_a_cart_mail_without_a_cart_is_a_broken_promise(story: str) -> None:
    assert watch(story).take([mail()], 100.0)[0].bad
    assert watch(story).take([mail(scenario="abandoned_product")], 100.0) == []


def test_a_cart_mail_that_lacks_an_item_is_a_broken_promise() -> None:
    watching = watch(CART)
    findings = watching.take([mail(text="Your cart: Blue mug")], 100.0)
    assert findings[0].bad
    assert "Round teapot" in findings[0].text
    assert watching.first_cart is None


def test_mails_to_people_who_tried_the_shop_by_hand_are_told() -> None:
    watching = watch(CART)
    findings = watching.take([mail(to="me@mail.example")], 100.0)
    assert not findings[0].bad
    assert "me@mail.example" in findings[0].text
    assert watching.others == {"abandoned_cart": 1}
