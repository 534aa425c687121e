"""A customer writes back without naming a message: it is found by his number, and is an answer to what went to it last."""

import pytest

from app.codec import encode_json
from app.model.chat import ChatEvent, ChatKind, Speaker
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.topics import CHAT, RECEIPTS
from tests.agents.test_cascade import CART, EVERYWHERE, channels, shop
from tests.driver import DAY, HOUR

PHONE = "+79160000001"
SMS_FIRST = CART.replace("- channel: email", "- channel: sms").replace("reaction: clicked", "reaction: replied")


def written_to():
    engine = shop(SMS_FIRST, consent=EVERYWHERE, phone=PHONE)
    engine.add("p1", name="Lamp", price=20.0)
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    assert channels(engine) == ["sms"]
    return engine


def write_back(engine, outcome, channel="sms"):
    receipt = Receipt(outcome, "phone:" + PHONE, channel, engine.clock.now(), reason=Reason.RECEIPT, address=PHONE)
    engine.record(RECEIPTS.name, receipt.customer, encode_json(receipt))


def test_an_answer_ends_the_cascade_that_it_answers():
    engine = written_to()
    write_back(engine, Outcome.REPLIED)
    engine.wait(3 * DAY)
    assert channels(engine) == ["sms"]
    assert engine.reasons("cart").count(Reason.REACTED) == 1
    assert engine.customer().open is None


def test_an_answer_on_another_channel_is_none_to_this_message():
    engine = written_to()
    write_back(engine, Outcome.REPLIED, "viber")
    engine.wait(5 * HOUR)
    assert channels(engine) == ["sms", "whatsapp"]


def test_stop_withdraws_the_consent_of_whoever_has_the_number():
    engine = written_to()
    write_back(engine, Outcome.UNSUBSCRIBED)
    assert engine.customer().consent["sms"].granted is False
    assert engine.customer().consent["email"].granted is True
    assert Reason.CONSENT_CHANGED in [line.reason for line in engine.journal]


def test_a_failure_that_a_provider_tells_of_later_is_in_the_journal():
    engine = written_to()
    trigger = engine.triggers[0]
    message = f"{trigger.trigger_id}.0"
    receipt = Receipt(
        Outcome.FAILED, "u1", "sms", engine.clock.now(), message, trigger.trigger_id, reason=Reason.RECEIPT
    )
    receipt.detail = "code 30003"
    engine.record(RECEIPTS.name, "u1", encode_json(receipt))
    lines = [line for line in engine.journal if line.reason == Reason.RECEIPT]
    assert [line.detail for line in lines] == [{"outcome": "failed", "message": message, "detail": "code 30003"}]


def test_an_address_that_an_operator_reinstates_is_written_to_again():
    engine = written_to()
    engine.receipt(engine.triggers[0], Outcome.BOUNCED)
    assert engine.customer().suppressed == {"sms": "bounced"}
    write_back(engine, Outcome.REINSTATED, "email")
    assert engine.customer().suppressed == {"sms": "bounced"}
    write_back(engine, Outcome.REINSTATED)
    assert engine.customer().suppressed is None


def test_a_receipt_that_names_no_scenario_is_counted_under_that_of_its_trigger():
    engine = written_to()
    trigger = engine.triggers[0]
    receipt = Receipt(Outcome.CLICKED, "u1", "sms", engine.clock.now(), trigger_id=trigger.trigger_id)
    engine.record(RECEIPTS.name, "u1", encode_json(receipt))
    assert engine.behaviour.receipts["cart", "clicked"] == 1


def write_in(engine, provider, speaker=Speaker.CLIENT, at=None):
    when = engine.clock.now() if at is None else at
    event = ChatEvent(provider, "shop", "d1", "u1", ChatKind.MESSAGE, when, f"m{when}", speaker=speaker, text="Yes")
    engine.record(CHAT.name, "u1", encode_json(event))


def over_whatsapp():
    engine = shop(SMS_FIRST.replace("- channel: sms", "- channel: whatsapp"), consent=EVERYWHERE, phone=PHONE)
    engine.add("p1", name="Lamp", price=20.0)
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.wait(60)
    assert channels(engine) == ["whatsapp"]
    return engine


def test_what_a_client_writes_in_the_messenger_is_an_answer_to_what_went_to_him_there():
    engine = over_whatsapp()
    write_in(engine, "whatsapp")
    engine.wait(10 * DAY)
    assert channels(engine) == ["whatsapp"]
    assert engine.reasons("cart").count(Reason.REACTED) == 1


@pytest.mark.parametrize(
    ("provider", "speaker", "before"),
    [("telegram", Speaker.CLIENT, 0), ("whatsapp", Speaker.MANAGER, 0), ("whatsapp", Speaker.CLIENT, 7_200)],
)
def test_what_is_written_elsewhere_by_others_or_before_is_none(provider, speaker, before):
    engine = over_whatsapp()
    write_in(engine, provider, speaker, engine.clock.now() - before)
    engine.wait(DAY)
    assert Reason.REACTED not in engine.reasons("cart")
