"""Double opt-in, travelling through time: a consent that has to be confirmed permits nothing until whoever owns the address has said yes."""

import msgspec
import pytest

from agents.scenarios.load import parse
from app.clock import moment
from app.codec import encode_json
from app.model.event import Consent, Event, Traits
from app.model.policy import Confirm, Policy
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.model.trigger import CONFIRMATION
from app.topics import RECEIPTS
from tests.carts import cart_scenario
from tests.driver import DAY, HOUR, Engine

CART = cart_scenario("  - channel: email\n    template: abandoned_cart\n", more="reentry: 0s\n")
NEWS = CART.replace("family: abandonment", "family: abandonment\ntopic: news")
ALL = Confirm(frozenset({"email"}))


def shop(confirm=ALL, text=CART):
    return Engine([parse(text)], policy=Policy(caps=(), quiet=None, confirm=confirm))


def asked(engine):
    return [trigger for trigger in engine.triggers if trigger.scenario == CONFIRMATION]


def press(engine, trigger):
    """The reader of the mail presses the button of the page."""
    engine.receipt(trigger, Outcome.CONFIRMED)


def unsubscribes(engine):
    """The customer uses the link of some message."""
    receipt = Receipt(Outcome.UNSUBSCRIBED, "u1", "email", engine.clock.now())
    engine.record(RECEIPTS.name, "u1", encode_json(receipt))


def cart_is_left(engine):
    engine.add("p1")
    engine.wait(2 * HOUR)
    return [trigger.scenario for trigger in engine.triggers if trigger.scenario != CONFIRMATION]


def consent_of(engine, name="email", key="u1"):
    return (engine.customer(key).consent or {}).get(name)


def test_a_consent_sends_one_mail_that_asks_and_permits_nothing():
    engine = shop()
    engine.identify(email="Ann@shop.example", consent=True, consent_source="footer")
    (mail,) = asked(engine)
    assert (mail.marketing, mail.addresses, mail.cascade[0].template) == (
        False,
        {"email": "Ann@shop.example"},
        CONFIRMATION,
    )
    assert mail.confirm_until == engine.clock.now() + 2 * DAY
    assert mail.content.name == ""  # whoever left the address must not write to its owner
    assert consent_of(engine) is None
    assert cart_is_left(engine) == []
    (refused,) = [line for line in engine.journal if line.reason == Reason.NO_CONSENT]
    assert refused.detail["asked_at"] == mail.fired_at


def test_the_button_grants_it_with_the_whole_proof():
    engine = shop()
    engine.identify(email="ann@shop.example", consent={"email": True}, consent_source="footer v3")
    given = engine.clock.now()
    engine.wait(HOUR)
    (mail,) = asked(engine)
    press(engine, mail)
    word = consent_of(engine)
    assert (word.granted, word.source, word.asked_at, word.at) == (True, "footer v3", given, engine.clock.now())
    assert cart_is_left(engine) == ["cart"]
    assert engine.triggers[-1].consent_at == {"email": word.at}  # newer than an unsubscription that was imported before
    (line,) = [line for line in engine.journal if line.reason == Reason.CONSENT_CONFIRMED]
    assert (line.detail["consents"], line.detail["source"], line.trigger_id) == ("email", "footer v3", mail.trigger_id)


def test_a_consent_without_a_source_says_that_it_was_confirmed():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True)
    press(engine, asked(engine)[0])
    assert consent_of(engine).source == "confirmation"


def test_nobody_answers_and_it_lapses():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True)
    engine.wait(2 * DAY + HOUR)
    (line,) = [line for line in engine.journal if line.reason == Reason.CONSENT_LAPSED]
    assert line.detail == {"consents": "email"}
    press(engine, asked(engine)[0])
    assert engine.reasons()[-1] == Reason.NOTHING_TO_CONFIRM
    assert consent_of(engine) is None
    assert cart_is_left(engine) == []
    assert "lapsed_at" in next(line for line in engine.journal if line.reason == Reason.NO_CONSENT).detail


def test_pressing_twice_grants_once():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True)
    (mail,) = asked(engine)
    press(engine, mail)
    word = consent_of(engine)
    engine.wait(HOUR)
    press(engine, mail)
    assert consent_of(engine) == word
    assert engine.reasons()[-1] == Reason.NOTHING_TO_CONFIRM


@pytest.mark.parametrize("trigger_id", ["", "0" * 32])
def test_a_confirmation_of_another_message_grants_nothing(trigger_id):
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True)
    press(engine, msgspec.structs.replace(asked(engine)[0], trigger_id=trigger_id))
    assert consent_of(engine) is None
    assert engine.reasons()[-1] == Reason.NOTHING_TO_CONFIRM


def test_a_back_end_that_repeats_itself_every_night_asks_once():
    engine = shop()
    for _ in range(10):
        engine.identify(email="ann@shop.example", consent=True, consent_source="footer")
        engine.wait(DAY)
    assert len(asked(engine)) == 1
    assert engine.reasons(CONFIRMATION).count(Reason.ASKED_BEFORE) == 9
    for _ in range(25):
        engine.identify(email="ann@shop.example", consent=True, consent_source="footer")
        engine.wait(DAY)
    assert len(asked(engine)) == 2  # the window of 30 days is over


def test_once_confirmed_the_proof_stands_whatever_is_repeated():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True, consent_source="footer")
    press(engine, asked(engine)[0])
    word = consent_of(engine)
    engine.wait(DAY)
    engine.identify(email="ann@shop.example", consent=True, consent_source="nightly")
    assert consent_of(engine) == word
    assert len(asked(engine)) == 1


def test_several_consents_of_one_event_are_asked_for_with_one_mail():
    engine = shop(text=NEWS)
    engine.identify(email="ann@shop.example", consent={"email:news": True, "email:offers": True})
    (mail,) = asked(engine)
    press(engine, mail)
    assert {name for name, word in engine.customer().consent.items() if word.granted} == {"email:news", "email:offers"}
    assert cart_is_left(engine) == ["cart"]


def test_only_what_the_policy_names_is_asked_for():
    engine = shop(Confirm(frozenset({"email:news"})), text=NEWS)
    engine.identify(email="ann@shop.example", consent={"email:news": True, "email:orders": True, "sms": True})
    assert {name for name, word in engine.customer().consent.items() if word.granted} == {"email:orders", "sms"}
    (line,) = [line for line in engine.journal if line.reason == Reason.CONSENT_ASKED]
    assert line.detail["consents"] == "email:news"


def test_a_refusal_forgets_what_waits_and_calls_the_mail_back():
    engine = shop()
    engine.identify(email="ann@shop.example", consent={"email:news": True})
    (mail,) = asked(engine)
    engine.wait(60)
    engine.identify(email="ann@shop.example", consent=False)
    assert [(cancel.trigger_id, cancel.reason) for cancel in engine.cancels] == [
        (mail.trigger_id, Reason.CONSENT_WITHDRAWN)
    ]
    press(engine, mail)
    assert consent_of(engine, "email:news") is None


def test_unsubscribing_forgets_what_waits():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True)
    (mail,) = asked(engine)
    engine.wait(60)
    unsubscribes(engine)
    press(engine, mail)
    assert not consent_of(engine).granted


def test_what_repeats_an_older_word_does_not_ask_somebody_who_has_unsubscribed():
    engine = shop()
    unsubscribes(engine)
    engine.wait(DAY)
    engine.identify(email="ann@shop.example", consent=True)
    assert asked(engine) == []
    engine.identify(email="ann@shop.example", consent=True, consent_source="footer")
    press(engine, asked(engine)[0])
    assert consent_of(engine).granted


def test_another_address_has_to_confirm_anew():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True, consent_source="footer")
    press(engine, asked(engine)[0])
    engine.wait(DAY)
    engine.identify(email="eve@shop.example")
    assert consent_of(engine) is None
    first, second = asked(engine)
    assert second.addresses == {"email": "eve@shop.example"}
    press(engine, first)
    assert consent_of(engine) is None
    press(engine, second)
    assert (consent_of(engine).granted, consent_of(engine).source) == (True, "footer")


def test_what_waits_for_one_address_is_asked_at_the_next():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True)
    engine.wait(60)
    engine.identify(email="eve@shop.example")
    first, second = asked(engine)
    assert [cancel.trigger_id for cancel in engine.cancels] == [first.trigger_id]
    press(engine, first)
    assert consent_of(engine) is None
    press(engine, second)
    assert consent_of(engine).granted


def test_without_an_address_nobody_is_asked():
    engine = shop()
    engine.identify(consent=True)
    assert (asked(engine), engine.reasons(CONFIRMATION)) == ([], [Reason.NO_ADDRESS])


def test_what_is_told_a_day_late_is_neither_granted_nor_asked():
    engine = shop()
    at = moment(engine.clock.now() - 3 * DAY)
    traits = Traits(email="ann@shop.example", consent={"email": Consent(True)})
    engine.feed(Event("identify", at, messageId="old", userId="u1", traits=traits, source="server", historical=True))
    assert (asked(engine), consent_of(engine)) == ([], None)
    assert engine.reasons(CONFIRMATION) == [Reason.NOT_ASKED]


def test_a_browser_can_neither_ask_nor_grant():
    engine = shop()
    engine.identify(email="ann@shop.example", consent=True, source="browser")
    assert (asked(engine), consent_of(engine)) == ([], None)


def test_the_same_event_read_again_asks_once():
    engine = shop()
    traits = Traits(email="ann@shop.example", consent={"email": Consent(True)})
    for _ in range(2):
        traits.consent = {"email": Consent(True)}
        at = moment(engine.clock.now())
        engine.feed(Event("identify", at, messageId="e1", userId="u1", traits=traits, source="server"))
    assert len(asked(engine)) == 1
    assert engine.reasons(CONFIRMATION) == [Reason.CONSENT_ASKED]


def test_a_consent_of_before_the_option_stays():
    engine = shop(None)
    engine.identify(email="ann@shop.example", consent=True)
    engine.decider._basis = engine.decider._basis._replace(policy=Policy(caps=(), quiet=None, confirm=ALL))
    engine.wait(DAY)
    engine.identify(email="ann@shop.example", consent=True)
    assert (asked(engine), cart_is_left(engine)) == ([], ["cart"])


def test_what_a_visitor_confirmed_at_another_address_does_not_join_the_user():
    engine = shop()
    engine.identify(None, anonymous="a1", email="eve@shop.example", consent=True)
    press(engine, asked(engine)[0])
    assert consent_of(engine, key="anon:a1").granted
    engine.identify("u1", email="ann@shop.example")
    engine.identify("u1", anonymous="a1")
    engine.wait(60)
    assert consent_of(engine) is None


def test_a_scenario_that_begins_with_a_consent_begins_when_it_is_confirmed():
    welcome = CART.replace("of: [cart_changed]\n  without: [ordered, cart_emptied]", "of: [consent_changed]")
    engine = shop(text=welcome)
    engine.identify(email="ann@shop.example", consent=True)
    assert not engine.customer().armed
    press(engine, asked(engine)[0])
    assert [item.scenario for item in engine.customer().armed] == ["cart"]


def test_what_a_visitor_asked_for_is_confirmed_when_he_has_become_a_user():
    engine = shop()
    engine.identify(None, anonymous="a1", email="ann@shop.example", consent=True, consent_source="footer")
    (mail,) = asked(engine)
    engine.identify("u1", anonymous="a1")
    engine.wait(60)
    assert consent_of(engine) is None
    press(engine, mail)  # it goes to the visitor's key, and after him
    assert (consent_of(engine).granted, consent_of(engine).source) == (True, "footer")
    assert cart_is_left(engine) == ["cart"]


def test_what_waits_lapses_under_the_users_key_too():
    engine = shop()
    engine.identify(None, anonymous="a1", email="ann@shop.example", consent=True)
    engine.identify("u1", anonymous="a1")
    engine.wait(3 * DAY)
    (line,) = [line for line in engine.journal if line.reason == Reason.CONSENT_LAPSED]
    assert line.customer == "u1"


def test_consents_that_lapsed_long_ago_leave_room_for_others():
    engine = shop()
    engine.identify(email="ann@shop.example", consent={f"email:t{number}": True for number in range(64)})
    engine.wait(40 * DAY)
    engine.identify(email="ann@shop.example", consent=True)
    assert len(asked(engine)) == 2
    press(engine, asked(engine)[1])
    assert consent_of(engine).granted
