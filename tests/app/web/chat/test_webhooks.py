"""The webhooks' edges: verification by GET, two live secrets, windows of time, guessing, Live Chat events."""

import pytest

from app.model.chat import ChatKind, Speaker
from tests.app.web.chat.frames import AT, CHATWOOT, EXAMPLES, TELEGRAM
from tests.app.web.conftest import NOW

# -- WhatsApp's verification

ASKED = {"hub.mode": "subscribe", "hub.verify_token": "whatsapp-verify-token", "hub.challenge": "1158201444"}


async def test_whatsapp_verifies_the_address_by_a_get(desk):
    answer = await desk.http.get("/chat/whatsapp/main", params=ASKED)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "a guess of it"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1" * 300},
        {"hub.verify_token": "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")},
    ],
)
async def test_whatsapp_nobody_else_gets_a_challenge_back(desk, change):
    answer = await desk.http.get("/chat/whatsapp/main", params=ASKED | change)
    assert answer.status_code == 401
    assert "script" not in answer.text


async def test_a_get_is_whatsapps_alone(desk):
    for provider in ("telegram", "vk", "chatwoot"):
        assert (await desk.http.get(EXAMPLES[provider].path, params=ASKED)).status_code == 405


# -- secrets and windows


@pytest.mark.parametrize(
    ("secret", "status"), [("telegram-secret-old", 200), ("telegram-secret-new", 200), ("telegram-secret-1", 401)]
)
async def test_two_secrets_live_while_one_replaces_the_other(desk, secret, status):
    answer = await desk.tell("telegram", TELEGRAM["client"], path="/chat/telegram/rotating", secret=secret)
    assert answer.status_code == status


@pytest.mark.parametrize(("age", "status"), [(0, 200), (299, 200), (-299, 200), (301, 401), (-301, 401), (86_400, 401)])
async def test_chatwoots_signature_is_good_for_five_minutes(desk, age, status):
    answer = await desk.tell("chatwoot", CHATWOOT["client"], at=NOW - age)
    assert answer.status_code == status
    assert len(desk.said) == (status == 200)
    if status == 401:
        assert answer.json()["reason"] == "signature_stale"


@pytest.mark.parametrize("at", [b"", b"now", b"-1795332000", b"1795332000.5", b"1" * 40, "１７９５".encode()])
async def test_chatwoots_time_must_be_one(desk, at):
    body, headers = EXAMPLES["chatwoot"].call(CHATWOOT["client"])
    headers = {name.encode(): value.encode() for name, value in headers.items()} | {b"x-chatwoot-timestamp": at}
    assert (await desk.http.post("/chat/chatwoot/support", content=body, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [("?token=chatwoot-url-token", 200), ("?token=a-guess-of-it", 401), ("", 401), ("?token=", 401)],
)
async def test_an_unsigned_chatwoot_must_know_the_token_of_its_address(desk, query, status):
    answer = await desk.tell("chatwoot", CHATWOOT["client"], path="/chat/chatwoot/old" + query, secret="")
    assert answer.status_code == status
    assert len(desk.said) == (status == 200)


async def test_the_token_of_an_unsigned_source_opens_no_signed_one(desk):
    path = "/chat/chatwoot/support?token=chatwoot-url-token"
    assert (await desk.tell("chatwoot", CHATWOOT["client"], path=path, secret="")).status_code == 401


async def test_guessing_is_slowed_down_and_only_for_the_one_who_guesses(desk):
    answers = [await desk.tell("telegram", TELEGRAM["client"], secret=f"a guess {number}") for number in range(40)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert int(answers[-1].headers["retry-after"]) > 0
    desk.clock.advance(60)
    assert (await desk.tell("telegram", TELEGRAM["client"])).status_code == 200


async def test_without_a_file_of_sources_there_are_none(house):
    for example in EXAMPLES.values():
        body, headers = example.call(example.frames["client"])
        assert (await house.http.post(example.path, content=body, headers=headers)).status_code == 404


# -- the Live Chat events of the Segment spec


def live_chat(event, **properties):
    told = {"conversation_id": "c-7", "message_id": "m-1", "agent_id": "ivan", "agent_name": "Иван", **properties}
    return {
        "type": "track",
        "event": event,
        "userId": "u42",
        "timestamp": "2026-11-22T07:19:00Z",
        "messageId": f"{event}-{told['message_id']}",
        "properties": {name: value for name, value in told.items() if value is not None},
    }


async def test_live_chat_events_of_a_server_key_are_a_dialog_of_the_customer(desk):
    for event in ("Conversation Started", "Message Sent", "Message Received", "Conversation Ended"):
        frame = live_chat(f"Live Chat {event}", message_body="Есть размер 42?")
        assert (await desk.post("/v1/track", frame)).status_code == 200
    assert [(event.kind, event.speaker) for event in desk.said] == [
        (ChatKind.OPENED, Speaker.SYSTEM),
        (ChatKind.MESSAGE, Speaker.CLIENT),
        (ChatKind.MESSAGE, Speaker.MANAGER),
        (ChatKind.CLOSED, Speaker.SYSTEM),
    ]
    assert {(event.provider, event.source, event.dialog, event.client) for event in desk.said} == {
        ("livechat", "server", "c-7", "u42")
    }
    said = desk.said[2]
    assert (said.manager, said.manager_name, said.text, said.at) == ("ivan", "Иван", "Есть размер 42?", AT)
    assert len(desk.events) == 4


async def test_live_chat_messages_of_two_clients_or_dialogs_that_are_called_alike_are_two(desk):
    frame = live_chat("Live Chat Message Sent", message_body="Hello")
    alike = ({"userId": "u42"}, {"userId": "u43"}, {"properties": {**frame["properties"], "conversation_id": "c-8"}})
    for change in (*alike, alike[1]):
        event = {**frame, **change, "event": "Live Chat Message Sent"}
        assert (await desk.post("/v1/batch", {"batch": [event]})).status_code == 200
    assert [(event.client, event.dialog) for event in desk.said] == [("u42", "c-7"), ("u43", "c-7"), ("u42", "c-8")]


async def test_live_chat_a_message_to_the_client_without_an_agent_is_a_bots(desk):
    await desk.post("/v1/track", live_chat("Live Chat Message Received", agent_id=None))
    assert desk.said[0].speaker is Speaker.BOT


async def test_live_chat_of_a_browser_key_is_behaviour_and_no_dialog(desk):
    for event in ("Conversation Started", "Message Sent", "Message Received", "Conversation Ended"):
        frame = live_chat(f"Live Chat {event}")
        answer = await desk.post("/v1/track", frame, key="browser", origin="https://shop.example")
        assert answer.status_code == 200
    assert len(desk.events) == 4
    assert desk.said == []


async def test_live_chat_a_visitor_without_a_name_has_a_dialog_too(desk):
    frame = live_chat("Live Chat Message Sent") | {"userId": None, "anonymousId": "visitor-1"}
    await desk.post("/v1/track", frame)
    assert desk.said[0].client == "anon:visitor-1"


async def test_live_chat_of_a_customer_with_the_longest_id_is_that_customers(desk):
    longest = "u" * 256
    await desk.post("/v1/track", live_chat("Live Chat Message Sent") | {"userId": longest})
    assert (desk.said[0].client, desk.events[0].userId) == (longest, longest)


async def test_live_chat_without_a_conversation_is_refused_with_its_reason(desk):
    frame = live_chat("Live Chat Message Sent", conversation_id=None)
    answer = await desk.post("/v1/track", frame)
    assert (answer.status_code, answer.json()["reason"]) == (400, "missing_dialog")
    (letter,) = await desk.dead_letters(1)
    assert (letter.reason, letter.source) == ("missing_dialog", "collector:server")
    assert (desk.said, desk.events) == ([], [])


async def test_live_chat_in_a_batch_counts_events_and_not_what_follows_from_them(desk):
    events = [live_chat("Live Chat Message Sent", message_id=f"m-{number}") for number in range(3)]
    events.append(live_chat("Live Chat Message Sent", message_id="m-9", conversation_id=None))
    answer = (await desk.post("/v1/batch", {"batch": events})).json()
    assert (answer["accepted"], answer["rejected"], answer["duplicates"]) == (3, 1, 0)
    answer = (await desk.post("/v1/batch", {"batch": events[:3]})).json()
    assert (answer["accepted"], answer["duplicates"]) == (0, 3)
    assert [event.message_id for event in desk.said] == ["m-0", "m-1", "m-2"]


async def test_live_chat_of_long_ago_opens_no_dialog(desk):
    answer = await desk.post("/v1/import", {"batch": [live_chat("Live Chat Message Sent")]})
    assert answer.json()["accepted"] == 1
    assert desk.said == []
