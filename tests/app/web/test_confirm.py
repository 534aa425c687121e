"""The confirmation link: signed with a salt of its own, nothing changes by looking at it, and nothing else confirms."""

import json

import pytest

from app.model.receipt import Spoken
from app.tokens import (
    BadToken,
    Confirming,
    Unsubscribe,
    confirm_token,
    pixel_token,
    read_confirm_token,
    receipt_token,
    unsubscribe_token,
)
from app.web.receipts import events
from tests.app.web.conftest import NOW, House

WHAT = Confirming("u1", "ann@shop.example", "m1.0", NOW + 3600)
SPOKEN = Spoken("u1", "email", "m1.0", "confirm_consent")


def link(house: House, what: Confirming = WHAT) -> str:
    return "/c/" + confirm_token(house.settings.secret, what)


async def test_looking_at_the_page_changes_nothing(house: House) -> None:
    for _ in range(3):
        response = await house.http.get(link(house))
        assert (response.status_code, "<form" in response.text) == (200, True)
    await house.http.head(link(house))
    assert house.sink.records == []


async def test_the_button_confirms(house: House) -> None:
    response = await house.http.post(link(house), content=b"confirm=1")
    assert response.status_code == 200
    (receipt,) = house.receipts
    assert (receipt.outcome, receipt.customer, receipt.trigger_id, receipt.message_id) == (
        "confirmed",
        "u1",
        "m1",
        "m1.0",
    )
    assert (receipt.address, receipt.at, receipt.marketing) == ("ann@shop.example", NOW, False)
    (record,) = house.sink.records
    assert record.key == b"u1"


@pytest.mark.parametrize("body", [b"", b"List-Unsubscribe=One-Click", b"x=confirm=1", b"confirm=10"])
async def test_a_post_that_is_not_the_button_does_nothing(house: House, body: bytes) -> None:
    assert (await house.http.post(link(house), content=body)).status_code == 400
    assert house.sink.records == []


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_the_page_speaks_the_readers_language(house: House, language: str) -> None:
    page = await house.http.get(link(house), headers={"accept-language": language})
    assert f'lang="{language}"' in page.text
    assert ("Подтвердите" in page.text) is (language == "ru")


@pytest.mark.parametrize("path", ["/c/", "/c/x", "/c/.x", "/c/" + "a" * 9_000, "/c/W10.x", "/c/%00"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_token_is_told_so_and_has_no_effect(house: House, path: str, method: str) -> None:
    response = await house.http.request(method, path, content=b"confirm=1")
    assert response.status_code == 400
    assert house.sink.records == []


async def test_no_other_link_of_ours_confirms(house: House) -> None:
    secret = house.settings.secret
    others = (
        unsubscribe_token(secret, Unsubscribe("u1", "email", "ann@shop.example", "m1.0"), NOW),
        receipt_token(secret, SPOKEN, NOW),
        pixel_token(secret, SPOKEN, NOW),
    )
    for token in others:
        assert (await house.http.post(f"/c/{token}", content=b"confirm=1")).status_code == 400
    assert (await house.http.post(link(house).replace("/c/", "/u/"), content=b"confirm=1")).status_code == 400
    assert house.sink.records == []


async def test_a_link_whose_time_is_over_confirms_nothing(house: House) -> None:
    house.clock.advance(3601)
    assert (await house.http.post(link(house), content=b"confirm=1")).status_code == 400
    assert house.sink.records == []


def test_a_token_of_another_secret_is_refused() -> None:
    token = confirm_token("s" * 32, WHAT)
    assert read_confirm_token("s" * 32, token, NOW) == WHAT
    with pytest.raises(BadToken):
        read_confirm_token("t" * 32, token, NOW)


async def test_a_receipt_from_outside_cannot_confirm(house: House) -> None:
    """Whoever has a message's receipt address, as its reader may, must not be able to say so."""
    token = receipt_token(house.settings.secret, SPOKEN, NOW)
    body = json.dumps({"outcome": "confirmed", "receipt": token}).encode()
    await house.http.post("/receipts/email", content=body)
    assert house.receipts == []


@pytest.mark.parametrize("word", ["confirmed", "sent", "skipped", "ambiguous", "reinstated"])
def test_what_only_we_say_is_not_believed_of_a_provider_who_signs(word: str) -> None:
    (told,) = events.read({"outcome": word, "message_id": "m1.0", "customer": "u1"})
    assert told.outcome is None


async def test_without_kafka_the_page_asks_to_try_again(house: House) -> None:
    house.sink.up = False
    response = await house.http.post(link(house), content=b"confirm=1")
    assert (response.status_code, "<form" in response.text) == (503, True)


async def test_only_get_and_post_are_answered(house: House) -> None:
    assert (await house.http.put(link(house), content=b"confirm=1")).status_code == 405
