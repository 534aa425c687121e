"""What each provider's frames mean: who spoke, in which dialog, when."""

import pytest

from app.model.chat import ChatKind, DialogStatus, Speaker
from app.model.receipt import Outcome, callback_data, read_callback_data
from app.web.chat import retailcrm
from app.web.chat.found import Place
from tests.app.web.chat.frames import (
    ANN,
    AT,
    CHATWOOT,
    CW_CONTACT,
    HELPER,
    RC_CUSTOMER,
    TELEGRAM,
    VK,
    VK_CONFIRMATION,
    WA_CONTACT,
    WHATSAPP,
    business,
    cw_conversation,
    cw_event,
    cw_message,
    telegram,
    vk,
    vk_message,
    wa_status,
    wa_text,
    whatsapp,
)
from tests.app.web.conftest import NOW


async def the_one(desk, provider, frame, **more):
    """The only event of a frame."""
    answer = await desk.tell(provider, frame, **more)
    assert answer.status_code == 200, answer.text
    (event,) = desk.said
    return event


# -- Telegram


async def test_telegram_a_client_writes_to_a_bot(desk):
    event = await the_one(desk, "telegram", TELEGRAM["client to a bot"])
    assert (event.kind, event.speaker, event.dialog, event.client) == (
        ChatKind.MESSAGE,
        Speaker.CLIENT,
        "501",
        "dialog:telegram:shop:501",
    )
    assert (event.text, event.at, event.message_id, event.event_id) == ("А диван ещё есть?", AT, "4411", "10001")
    assert (event.name, event.url, event.received_at) == ("Анна К.", "https://t.me/ann_k", NOW)


@pytest.mark.parametrize(
    ("name", "speaker", "automatic", "manager"),
    [
        ("client", Speaker.CLIENT, False, ""),
        ("manager", Speaker.MANAGER, False, "77"),
        ("bot", Speaker.BOT, False, ""),
        ("greeting", Speaker.MANAGER, True, "77"),
    ],
)
async def test_telegram_a_business_account_tells_who_speaks_in_one_dialog(desk, name, speaker, automatic, manager):
    event = await the_one(desk, "telegram", TELEGRAM[name])
    assert (event.speaker, event.automatic, event.manager) == (speaker, automatic, manager)
    assert (event.dialog, event.client) == ("bc-9Qx:501", "dialog:telegram:shop:501")


async def test_telegram_an_edit_tells_the_same_message_again_at_its_own_time(desk):
    for name in ("client", "edited"):
        assert (await desk.tell("telegram", TELEGRAM[name])).status_code == 200
    first, again = desk.said
    assert (again.message_id, again.at, again.text) == (first.message_id, first.at, "А диван синий ещё есть?")
    assert again.event_id != first.event_id


async def test_telegram_a_picture_speaks_by_its_caption_and_without_one_by_its_kind(desk):
    await desk.tell("telegram", TELEGRAM["photo"])
    await desk.tell("telegram", business(update=1, text=None, voice={"file_id": "x"}))
    assert [event.text for event in desk.said] == ["такой", "[voice]"]


async def test_telegram_a_shared_number_counts_only_if_it_is_the_clients_own(desk):
    own = {"phone_number": "79161112233", "first_name": "Анна", "user_id": ANN["id"]}
    await desk.tell("telegram", telegram(update=1, text=None, contact=own))
    await desk.tell("telegram", telegram(update=2, text=None, contact={**own, "user_id": 6}))
    await desk.tell("telegram", telegram(update=3, text=None, contact={"phone_number": "79161112233"}))
    assert [event.phone for event in desk.said] == ["+79161112233", "", ""]


@pytest.mark.parametrize(
    "frame",
    [
        telegram(chat={"id": -100, "type": "supergroup", "title": "Чат"}),
        {"update_id": 5, "business_connection": {"id": "bc-9Qx", "is_enabled": True}},
        {"update_id": 6, "deleted_business_messages": {"business_connection_id": "bc-9Qx", "message_ids": [1]}},
        {"update_id": 7, "poll": {}},
    ],
)
async def test_telegram_what_is_no_dialog_is_taken_and_leaves_nothing(desk, frame):
    assert (await desk.tell("telegram", frame)).status_code == 200
    assert desk.sink.records == []


async def test_telegram_a_bot_in_a_chat_with_a_bot_is_no_client(desk):
    event = await the_one(desk, "telegram", telegram(**{"from": {**HELPER, "id": 501}}))
    assert event.speaker is Speaker.BOT


# -- WhatsApp


async def test_whatsapp_client_and_manager_speak_in_one_dialog(desk):
    for name in ("client", "manager", "button"):
        assert (await desk.tell("whatsapp", WHATSAPP[name])).status_code == 200
    assert {(event.dialog, event.client) for event in desk.said} == {
        ("106:79161112233", "dialog:whatsapp:main:79161112233")
    }
    assert [event.speaker for event in desk.said] == [Speaker.CLIENT, Speaker.MANAGER, Speaker.CLIENT]
    assert desk.said[0].text == "Здравствуйте! Есть 42 размер?"
    assert desk.said[2].text == "Да, отложите"
    assert (desk.said[0].name, desk.said[0].phone, desk.said[0].at) == ("Анна", "+79161112233", AT)


async def test_whatsapp_a_client_without_a_number_is_known_by_his_user_id(desk):
    event = await the_one(desk, "whatsapp", WHATSAPP["client without a number"])
    assert event.client == "dialog:whatsapp:main:RU.13491208655302741918"
    assert (event.name, event.phone, event.url) == ("Тень", "", "")


async def test_whatsapp_a_batch_in_any_order_is_read_whole_and_one_bad_message_spoils_no_other(desk):
    messages = [wa_text("wamid.b", timestamp=str(AT + 5)), wa_text("wamid.bad", timestamp=None), wa_text("wamid.a")]
    frame = whatsapp(contacts=[WA_CONTACT], messages=messages)
    frame["entry"] += WHATSAPP["manager"]["entry"]
    assert (await desk.tell("whatsapp", frame)).status_code == 200
    assert [event.event_id for event in desk.said] == ["wamid.b", "wamid.a", "wamid.HBgL3"]
    (letter,) = desk.dead
    assert (letter.reason, letter.detail, letter.source) == ("missing_time", "time", "chat:whatsapp:main")


@pytest.mark.parametrize(
    ("status", "outcome", "detail"),
    [
        (wa_status("delivered"), Outcome.DELIVERED, ""),
        (wa_status("read"), Outcome.OPENED, ""),
        (wa_status("failed", errors=[{"code": 131049}]), Outcome.FAILED, "code 131049"),
        (wa_status("failed", errors=[{"code": 131026}]), Outcome.BOUNCED, "code 131026"),
        (wa_status("failed", errors=[{"code": 131050}]), Outcome.UNSUBSCRIBED, "code 131050"),
    ],
)
async def test_whatsapp_a_status_of_our_own_message_is_a_receipt(desk, status, outcome, detail):
    assert (await desk.tell("whatsapp", whatsapp(statuses=[status]))).status_code == 200
    (receipt,) = desk.receipts
    assert (receipt.outcome, receipt.customer, receipt.message_id) == (outcome, "u42", "msg-1")
    assert (receipt.channel, receipt.at, receipt.detail) == ("whatsapp", AT, detail)


@pytest.mark.parametrize(
    "callback", ["", "boomerang:", "boomerang:x:", "other:msg-1:u42", "boomerang:msg-1:" + "u" * 600]
)
async def test_whatsapp_a_status_of_somebody_elses_message_is_taken_and_leaves_nothing(desk, callback):
    assert (await desk.tell("whatsapp", whatsapp(statuses=[wa_status(callback=callback)]))).status_code == 200
    assert desk.sink.records == []


def test_what_goes_along_with_a_message_is_read_back_from_its_receipt():
    handed = read_callback_data(callback_data("ab12-0", "email:ann@shop.example"))
    assert handed == ("ab12-0", "email:ann@shop.example")


async def test_whatsapp_a_reaction_is_no_answer(desk):
    thumb = {**wa_text(), "type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}}
    assert (await desk.tell("whatsapp", whatsapp(messages=[thumb]))).status_code == 200
    assert desk.sink.records == []


# -- VK


@pytest.mark.parametrize(
    ("name", "speaker", "manager"),
    [("client", Speaker.CLIENT, ""), ("manager", Speaker.MANAGER, "55"), ("bot", Speaker.BOT, "")],
)
async def test_vk_tells_who_speaks_in_one_dialog(desk, name, speaker, manager):
    event = await the_one(desk, "vk", VK[name])
    assert (event.kind, event.speaker, event.manager, event.at) == (ChatKind.MESSAGE, speaker, manager, AT)
    assert (event.dialog, event.client) == ("3344", "dialog:vk:club:3344")
    assert event.url == "https://vk.com/gim219?sel=3344"


async def test_vk_is_answered_with_a_plain_ok(desk):
    answer = await desk.tell("vk", VK["client"])
    assert (answer.text, answer.headers["content-type"]) == ("ok", "text/plain; charset=utf-8")


@pytest.mark.parametrize(("name", "granted"), [("consent", True), ("refusal", False)])
async def test_vk_a_permission_is_a_consent(desk, name, granted):
    event = await the_one(desk, "vk", VK[name])
    assert (event.kind, event.granted, event.client, event.at) == (
        ChatKind.CONSENT,
        granted,
        "dialog:vk:club:3344",
        NOW,
    )


async def test_vk_asks_for_the_confirmation_without_a_secret_and_gets_the_string(desk):
    for secret in ("", "vk-secret-key"):
        answer = await desk.tell("vk", VK_CONFIRMATION, secret=secret)
        assert (answer.status_code, answer.text) == (200, "8f3c1a2b")
    assert desk.sink.records == []


@pytest.mark.parametrize(
    ("group", "secret"), [(220, ""), ("219", ""), (None, ""), (220, "vk-secret-key"), (219, "a guess")]
)
async def test_vk_tells_the_confirmation_to_nobody_else(desk, group, secret):
    answer = await desk.tell("vk", {**VK_CONFIRMATION, "group_id": group}, secret=secret)
    assert answer.status_code == 401
    assert "8f3c1a2b" not in answer.text


async def test_vk_a_frame_of_another_community_is_not_genuine(desk):
    assert (await desk.tell("vk", {**VK["client"], "group_id": 220})).status_code == 401
    assert desk.sink.records == []


async def test_vk_a_chat_of_several_people_is_no_dialog(desk):
    frame = vk("message_new", {"message": vk_message(peer_id=2_000_000_003)})
    assert (await desk.tell("vk", frame)).status_code == 200
    assert desk.sink.records == []


async def test_vk_an_older_version_tells_the_message_without_a_wrapping(desk):
    event = await the_one(desk, "vk", vk("message_new", vk_message()))
    assert event.text == "Добрый день, сколько стоит доставка?"


async def test_vk_a_voice_message_speaks_by_its_kind(desk):
    assert (await the_one(desk, "vk", VK["voice"])).text == "[audio_message]"


# -- Chatwoot


@pytest.mark.parametrize(
    ("name", "speaker", "automatic", "manager"),
    [
        ("client", Speaker.CLIENT, False, ""),
        ("manager", Speaker.MANAGER, False, "7"),
        ("bot", Speaker.BOT, False, ""),
        ("greeting", Speaker.BOT, True, ""),
        ("system", Speaker.SYSTEM, False, ""),
    ],
)
async def test_chatwoot_tells_who_speaks_by_words_and_by_numbers(desk, name, speaker, automatic, manager):
    event = await the_one(desk, "chatwoot", CHATWOOT[name])
    assert (event.kind, event.speaker, event.automatic, event.manager) == (
        ChatKind.MESSAGE,
        speaker,
        automatic,
        manager,
    )
    assert (event.dialog, event.client, event.tags) == ("245", "dialog:chatwoot:support:812", ["диваны"])
    assert (event.at, event.url) == (AT, "https://desk.shop.example/app/accounts/1/conversations/245")


@pytest.mark.parametrize(("number", "word"), [(0, "incoming"), (1, "outgoing"), (2, "activity"), (3, "template")])
async def test_chatwoot_numbers_and_words_mean_the_same(desk, number, word):
    for kind, id_ in ((number, 1), (word, 2)):
        await desk.tell("chatwoot", cw_message(id=id_, message_type=kind))
    first, second = desk.said
    assert first.speaker is second.speaker


async def test_chatwoot_an_automation_is_no_manager_and_an_echo_of_his_phone_is(desk):
    user = CHATWOOT["manager"]["sender"]
    rule = {"automation_rule_id": 4}
    await desk.tell("chatwoot", cw_message(id=1, message_type=1, sender=user, content_attributes=rule))
    await desk.tell(
        "chatwoot", cw_message(id=2, message_type=1, sender=None, content_attributes={"external_echo": True})
    )
    await desk.tell("chatwoot", cw_message(id=3, message_type=1, sender=None))
    assert [event.speaker for event in desk.said] == [Speaker.BOT, Speaker.MANAGER, Speaker.BOT]


async def test_chatwoot_a_private_note_never_leaves_the_house(desk):
    assert (await desk.tell("chatwoot", cw_message(private=True))).status_code == 200
    assert desk.sink.records == []


@pytest.mark.parametrize(
    ("told", "status"), [("resolved", "resolved"), (1, "resolved"), ("pending", "pending"), (0, "open"), (3, "snoozed")]
)
async def test_chatwoot_the_status_comes_as_a_word_or_as_a_number(desk, told, status):
    event = await the_one(desk, "chatwoot", cw_event("conversation_status_changed", status=told))
    assert (event.kind, event.status, event.at) == (ChatKind.STATUS, DialogStatus(status), AT + 0.25)


async def test_chatwoot_the_assignee_is_the_manager_and_nobody_is_nobody(desk):
    change = [{"assignee_id": {"previous_value": 7, "current_value": None}}]
    gone = cw_event("conversation_updated", meta={"sender": CW_CONTACT, "assignee": None}, changed_attributes=change)
    await desk.tell("chatwoot", CHATWOOT["assigned"])
    await desk.tell("chatwoot", gone)
    assert [(event.kind, event.manager, event.manager_name) for event in desk.said] == [
        (ChatKind.ASSIGNED, "7", "Иван"),
        (ChatKind.ASSIGNED, "", ""),
    ]


async def test_chatwoot_a_change_of_something_else_leaves_nothing(desk):
    frame = cw_event("conversation_updated", changed_attributes=[{"priority": {"current_value": "high"}}])
    assert (await desk.tell("chatwoot", frame)).status_code == 200
    assert desk.sink.records == []


async def test_chatwoot_what_somebody_typed_links_nobody_unless_the_shop_says_so(desk):
    await desk.tell("chatwoot", CHATWOOT["client"])
    await desk.tell("chatwoot", CHATWOOT["client"], path="/chat/chatwoot/trusting")
    careful, trusting = desk.said
    assert (careful.phone, careful.email, careful.user_id) == ("", "", "")
    assert (trusting.phone, trusting.email) == ("+79161112233", "ann@shop.example")


async def test_chatwoot_an_identifier_counts_only_with_its_proof(desk):
    meta = {"sender": CW_CONTACT, "hmac_verified": True}
    event = await the_one(desk, "chatwoot", cw_message(conversation=cw_conversation(meta=meta)))
    assert event.user_id == "u42"


# -- RetailCRM: without HTTP, since we ask it


def test_retailcrm_client_manager_and_bot_speak_in_one_dialog(frame_of):
    events = [frame_of(name) for name in ("client", "manager", "bot")]
    assert [event.speaker for event in events] == [Speaker.CLIENT, Speaker.MANAGER, Speaker.BOT]
    assert {(event.dialog, event.client) for event in events} == {("90", "dialog:retailcrm:crm:90")}
    assert (events[1].manager, events[1].manager_name) == ("8", "Иван")
    assert (events[0].at, events[0].name, events[0].phone) == (AT + 0.125, RC_CUSTOMER["name"], "")


@pytest.mark.parametrize(
    ("name", "kind", "at", "manager"),
    [
        ("opened", ChatKind.OPENED, AT, ""),
        ("assigned", ChatKind.ASSIGNED, AT + 30, "8"),
        ("close", ChatKind.CLOSED, AT + 50, ""),
    ],
)
def test_retailcrm_a_dialog_is_opened_assigned_and_closed(frame_of, name, kind, at, manager):
    event = frame_of(name)
    assert (event.kind, event.at, event.manager, event.dialog) == (kind, at, manager, "90")


def test_retailcrm_an_assignment_from_before_the_gap_is_not_told_again():
    def page(assigned_at):
        return [{"id": 7, "chat_id": 3, "responsible": {"id": 5, "type": "user", "assigned_at": assigned_at}}]

    place = Place("retailcrm", "crm", NOW)
    assert retailcrm.missed_dialogs(page(NOW - 61), NOW - 60, place).events == []
    assert [event.kind for event in retailcrm.missed_dialogs(page(NOW - 59), NOW - 60, place).events] == [
        ChatKind.ASSIGNED
    ]
