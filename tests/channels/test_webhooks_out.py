"""Slack, Mattermost and the signed webhook: the exact requests, and what their answers mean."""

import base64
import hashlib
import hmac

import pytest

from app.clock import SYSTEM
from app.model.alert import AlertState
from channels.channel import Ambiguous, Misconfigured, Rejected, Retry, Sent
from channels.destination import networks
from channels.egress import Egress, Reply, refused
from channels.hooks import named
from channels.mattermost import make as make_mattermost
from channels.slack import make as make_slack
from channels.webhook import Webhook, keys
from tests.channels.alerts import BOARD, ID, NOW, alert, rendered, update
from tests.channels.hooks import hook

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
LINK = f"https://desk.example/dialogs/1|Open the dialog>  ·  <{BOARD}/dialogs#{ID}|Board"


@pytest.fixture
async def egress():
    made = Egress(timeout=10, now=SYSTEM.now, allow=networks(["127.0.0.1/32"]))
    yield made
    await made.close()


async def granted():
    pass


def message(*args, **kwargs):
    return rendered(*args, address="sales", **kwargs)


async def test_slack_gets_blocks_in_which_the_words_of_others_are_plain_text(egress):
    async with hook() as server:
        channel = make_slack(
            urls={"sales": server.url + "/services/T/B/x"}, egress=egress, monotonic=SYSTEM.monotonic, every=0.0
        )
        assert await channel.send(message(alert(note="she is back")), granted) == Sent()
        assert isinstance(await channel.send(message(change=update()), granted), Sent)
        first, second = server.requests
    assert first.path == "/services/T/B/x" and first.headers["content-type"] == "application/json"
    assert first.json == {
        "text": "💬 Anna has been silent for 31 min",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "*💬 Anna has been silent for 31 min*\n_she is back_", "verbatim": True}},
            {"type": "section", "text": {"type": "plain_text", "text": "Client: Is it in stock?\nManager: It is.", "emoji": False}},
            {
                "type": "section",
                "text": {
                    "type": "plain_text",
                    "text": "Cart: Sofa × 2, Lamp · €520\nOn the site: 10 min ago\nSearched for: “green sofa”\nOrders: 3, €900 in all\nManager: Maria",
                    "emoji": False,
                },
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": f"<{LINK}>", "verbatim": True}},
        ],
    }  # fmt: skip
    told = "✅ Anna has been silent for 31 min: Resolved: the client has ordered"
    assert second.json["text"] == told
    assert second.json["blocks"][0]["text"]["text"] == f"<https://desk.example/dialogs/1|{told}>"


async def test_mattermost_gets_markdown_in_which_the_words_of_others_format_nothing(egress):
    async with hook() as server:
        channel = make_mattermost(
            urls={"sales": server.url + "/hooks/x"}, egress=egress, monotonic=SYSTEM.monotonic, every=0.0
        )
        await channel.send(message(alert(who="*Anna* @all")), granted)
        (request,) = server.requests
    text = request.json["text"]
    assert text.startswith("**💬 \\*Anna\\* @\u2060all has been silent for 31 min**")
    assert f"[Open the dialog](https://desk.example/dialogs/1) · [Board]({BOARD}/dialogs#{ID})" in text


async def test_a_webhook_is_signed_as_the_standard_says_by_every_key_and_repeats_its_id(egress):
    second = b"n" * 32
    async with hook() as server:
        secrets = [SECRET, "whsec_" + base64.b64encode(second).decode()]
        channel = Webhook(urls={"sales": server.url}, secrets=secrets, egress=egress, now=lambda: NOW + 0.9)
        for _ in range(2):
            assert await channel.send(message(), granted) == Sent()
        one, two = server.requests
    headers = one.headers
    assert headers["webhook-id"] == two.headers["webhook-id"] == "ab00.0" and headers["webhook-timestamp"] == str(
        int(NOW)
    )
    signed = b"ab00.0." + headers["webhook-timestamp"].encode() + b"." + one.body
    wanted = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in (KEY, second)
    ]
    assert headers["webhook-signature"].split(" ") == wanted
    assert (
        one.json["type"] == "alert.opened"
        and one.json["data"]["alert_id"] == ID
        and one.json["data"]["state"] == "open"
    )
    assert one.json["data"]["facts"][0] == {"label": "Cart", "text": "Sofa × 2, Lamp · €520"}


def test_a_change_says_so_in_the_webhook():
    from channels.webhook import body

    made = body(message(change=update(AlertState.TAKEN, "taken", by_name="Maria")))
    assert (
        made["type"] == "alert.changed"
        and made["data"]["status"] == "Taken: Maria"
        and made["data"]["state"] == "taken"
    )


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, None), (204, None), (429, Retry), (503, Retry), (408, Retry), (401, Misconfigured), (403, Misconfigured),
        (400, Rejected), (404, Rejected), (410, Rejected), (302, Rejected), (500, Ambiguous), (502, Ambiguous), (504, Ambiguous),
    ],
)  # fmt: skip
def test_every_status_has_its_meaning(status, meaning):
    answer = refused(Reply(status, b"no", 12.0))
    assert answer is None if meaning is None else isinstance(answer, meaning)
    if meaning is Retry:
        assert answer.after == 12.0
    if meaning is Rejected:
        assert answer.suppress == (status in (404, 410))


@pytest.mark.parametrize(
    "item",
    ["sales", "=https://a.example", "a b=https://a.example", "x=ftp://a.example", "x=https://u:p@a.example", "x="],
)
def test_a_hook_that_cannot_be_used_is_told_at_the_start_without_its_address(item):
    with pytest.raises(ValueError, match="BOOMERANG_SLACK_HOOKS") as caught:
        named([item], "BOOMERANG_SLACK_HOOKS")
    assert "a.example" not in str(caught.value)
    with pytest.raises(ValueError, match="each name once"):
        named(["x=https://a.example", "x=https://b.example"], "BOOMERANG_SLACK_HOOKS")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_signing_key_that_is_too_weak_is_refused(secret):
    with pytest.raises(ValueError, match="openssl rand"):
        keys([secret])
    with pytest.raises(ValueError, match="webhooks are signed"):
        Webhook(urls={"x": "https://a.example"}, secrets=[], egress=None, now=SYSTEM.now)
