"""The unsubscribe link: one click, signed, and nothing changes by looking at it."""

import pytest

from app.tokens import BadToken, Unsubscribe, read_unsubscribe_token, unsubscribe_token
from app.web.collector.page import language
from tests.app.web.conftest import NOW, House

WHAT = Unsubscribe("u1", "email", "ann@shop.example", "m1.0")
ONE_CLICK = {"content-type": "application/x-www-form-urlencoded"}


def link(house: House, what: Unsubscribe = WHAT, issued: float = NOW) -> str:
    return "/u/" + unsubscribe_token(house.settings.secret, what, issued)


async def test_looking_at_the_page_changes_nothing(house: House) -> None:
    for _ in range(3):
        response = await house.http.get(link(house))
        assert (response.status_code, "<form" in response.text) == (200, True)
    await house.http.head(link(house))
    assert house.sink.records == []


@pytest.mark.parametrize(
    "body",
    [
        b"List-Unsubscribe=One-Click",
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
        b"confirm=1",
    ],
)
async def test_a_click_takes_the_address_off(house: House, body: bytes) -> None:
    response = await house.http.post(link(house), content=body)
    assert response.status_code == 200
    (receipt,) = house.receipts
    assert (receipt.outcome, receipt.customer, receipt.channel) == ("unsubscribed", "u1", "email")
    assert (receipt.address, receipt.message_id, receipt.at) == ("ann@shop.example", "m1.0", NOW)
    (record,) = house.sink.records
    assert record.key == b"u1"


async def test_a_post_that_asks_for_nothing_does_nothing(house: House) -> None:
    assert (await house.http.post(link(house), content=b"")).status_code == 400
    assert house.sink.records == []


@pytest.mark.parametrize("path", ["/u/", "/u/x", "/u/.x", "/u/" + "a" * 5_000, "/u/W10.x", "/u/%00"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_token_is_told_so_and_has_no_effect(house: House, path: str, method: str) -> None:
    response = await house.http.request(method, path, content=b"List-Unsubscribe=One-Click")
    assert response.status_code == 400
    assert house.sink.records == []


async def test_every_changed_letter_of_a_token_is_noticed(house: House) -> None:
    token = link(house)
    for i in range(3, len(token)):
        changed = token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :]
        response = await house.http.post(changed, content=b"confirm=1")
        if response.status_code == 200:  # the last letter of a signature may carry unused bits
            assert house.receipts.pop().customer == "u1"
            assert i == len(token) - 1
    assert len(house.sink.records) <= 1


def test_a_token_of_another_secret_or_too_old_is_refused() -> None:
    token = unsubscribe_token("s" * 32, WHAT, NOW)
    assert read_unsubscribe_token("s" * 32, token, NOW) == WHAT
    assert read_unsubscribe_token("s" * 32, token, NOW + 399 * 86_400) == WHAT
    for secret, at in (("t" * 32, NOW), ("s" * 32, NOW + 402 * 86_400), ("s" * 32, NOW - 3 * 86_400)):
        with pytest.raises(BadToken):
            read_unsubscribe_token(secret, token, at)


def test_a_retry_of_the_same_day_has_the_same_token() -> None:
    assert unsubscribe_token("s" * 32, WHAT, NOW) == unsubscribe_token("s" * 32, WHAT, NOW + 60)


async def test_without_kafka_the_page_asks_to_try_again(house: House) -> None:
    house.sink.up = False
    response = await house.http.post(link(house), content=b"confirm=1")
    assert (response.status_code, "retry-after" in response.headers) == (503, True)


async def test_the_page_speaks_the_readers_language(house: House) -> None:
    russian = await house.http.get(link(house), headers={"accept-language": "de, ru;q=0.9, en;q=0.8"})
    assert "Отписаться" in russian.text
    assert language("", "ru") == "ru"
    assert language("de,fr", "en") == "en"


async def test_the_page_runs_no_script_and_tells_nobody(house: House) -> None:
    headers = (await house.http.get(link(house))).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")


async def test_guessing_tokens_is_slowed_down(rebuilt) -> None:
    async with rebuilt(rate_per_address=1) as house:
        statuses = [(await house.http.get("/u/x")).status_code for _ in range(3)]
        assert statuses == [400, 400, 429]
