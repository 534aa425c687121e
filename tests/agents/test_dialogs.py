"""Dialogs travelling through time: silent clients, clients who wait, alerts and what becomes of them."""

from zoneinfo import ZoneInfo

import pytest

from agents.dialogs.staff import Staff
from agents.scenarios.load import load_dialogs, parse_any
from app.model.alert import AlertState, Watch
from app.model.chat import ChatKind, DialogStatus, Speaker
from app.model.reasons import Reason
from app.model.team import Member, Team
from app.topics import partition_of
from tables.customer import Customer, Pointer
from tables.hours import BusinessHours
from tests.driver import BUILT_IN, DAY, HOUR, MINUTE, Engine

TEAM = Team(
    addresses={"email": "sales@shop.example"},
    members=(
        Member("anna", "Anna", ("telegram:shop:777",), {"email": "anna@shop.example"}),
        Member("boris", "Boris", ("telegram:shop:888",), {"email": "boris@shop.example"}),
        Member("vera", "Vera", (), {"email": "vera@shop.example"}, head=True),
    ),
    line=("anna", "boris"),
    links={"telegram": "https://chat.example/{source}/{dialog}"},
)
CLIENT = "dialog:telegram:shop:c1"


def room(hours=None, dialogs=None, **more):
    found = load_dialogs(BUILT_IN) if dialogs is None else dialogs
    return Engine(dialogs=found, staff=Staff(TEAM, hours), **more)


def silent_only(**fields):
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return parse_any(
        f"id: silent\nversion: 1\ntitle: Silent\n{lines}dialog:\n  watch: silent_client\n  for: 30m\n"
        "cascade:\n  - {channel: email, template: alert}\n"
    )


@pytest.fixture
def shop():
    return room()


def talk(shop, **fields):
    """The client asks and the manager answers: from here on the client is silent."""
    shop.asks(**fields)
    shop.wait(MINUTE)
    shop.answers(**fields)


def test_a_client_who_stays_silent_for_half_an_hour_brings_the_manager_back(shop):
    shop.asks("Is the sofa in stock?", name="Olga", message_id="m1")
    shop.wait(MINUTE)
    shop.answers("Yes, in green.")
    shop.wait(29 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]
    trigger = shop.triggers[0]
    assert trigger.addresses == {"email": "anna@shop.example"}
    assert not trigger.marketing
    alert = trigger.alert
    assert (alert.who, alert.to, alert.watch) == ("Olga", "anna", Watch.SILENT_CLIENT)
    assert [(word.speaker, word.text) for word in alert.words] == [
        (Speaker.CLIENT, "Is the sofa in stock?"),
        (Speaker.MANAGER, "Yes, in green."),
    ]
    assert alert.url == "https://chat.example/shop/d1"
    assert alert.alert_id == trigger.trigger_id
    assert trigger.due == alert.since + 30 * MINUTE


def test_one_silence_gives_one_alert_however_often_the_manager_writes(shop):
    talk(shop)
    for _ in range(5):
        shop.wait(40 * MINUTE)
        shop.answers("Are you still there?")
    shop.wait(3 * HOUR)
    assert shop.fired.count("abandoned_dialog") - shop.reasons().count(Reason.ESCALATED) == 1
    assert len({trigger.alert.alert_id for trigger in shop.triggers}) == 1


def test_each_further_word_of_the_manager_moves_the_deadline(shop):
    talk(shop)
    for _ in range(3):
        shop.wait(20 * MINUTE)
        shop.answers("One more thing")
    assert shop.fired == []
    shop.wait(31 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]
    assert shop.reasons("abandoned_dialog").count(Reason.MOVED) == 3


@pytest.mark.parametrize(
    "words",
    [
        {"speaker": Speaker.BOT},
        {"speaker": Speaker.SYSTEM},
        {"speaker": Speaker.MANAGER, "automatic": True},
    ],
)
def test_a_bot_a_system_line_and_an_auto_greeting_arm_nothing_and_answer_nothing(shop, words):
    shop.asks()
    shop.chat(ChatKind.MESSAGE, text="We will be with you soon", **words)
    shop.wait(11 * MINUTE)
    assert shop.fired == ["first_response"]
    assert "abandoned_dialog" not in [line.scenario for line in shop.journal]


def test_the_clients_answer_ends_the_silence(shop):
    talk(shop)
    shop.wait(29 * MINUTE)
    shop.asks("Thank you!")
    shop.wait(29 * MINUTE)
    assert shop.fired == []
    assert Reason.ENDED_BY_ANSWER in shop.reasons("abandoned_dialog")


def test_the_next_silence_is_another_episode(shop):
    talk(shop)
    shop.wait(HOUR)
    shop.asks("Sorry, I was away")
    shop.answers("Welcome back")
    shop.wait(31 * MINUTE)
    alerts = {trigger.alert.alert_id for trigger in shop.triggers if trigger.scenario == "abandoned_dialog"}
    assert len(alerts) == 2


def test_an_answer_resolves_the_alert_that_has_been_told(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.asks("I am back")
    update = shop.updates[-1]
    assert (update.state, update.reason, update.ends) == (AlertState.RESOLVED, Reason.ENDED_BY_ANSWER, True)
    assert update.trigger_id == shop.triggers[0].trigger_id


def test_closing_the_dialog_ends_everything(shop):
    talk(shop)
    shop.chat(ChatKind.CLOSED)
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert shop.board == {}


def test_an_order_ends_the_silence_and_resolves_the_alert_with_its_reason():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    talk(shop, phone="+15550001")
    shop.wait(31 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]
    shop.order("u1")
    assert (shop.updates[-1].state, shop.updates[-1].reason) == (AlertState.RESOLVED, Reason.ENDED_BY_ORDER)
    shop.answers("Thank you for the order")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_dialog"]


def test_a_visitors_order_with_the_address_of_a_client_without_a_user_ends_the_silence():
    shop = room()
    talk(shop, email="ann@x.example")
    shop.identify(None, anonymous="g1", email="ann@x.example")
    shop.order(None, anonymous="g1")
    shop.wait(HOUR)
    assert shop.fired == []
    assert Reason.ENDED_BY_ORDER in shop.reasons("abandoned_dialog")
    shop.identify("u1", anonymous="g1", email="ann@x.example")
    assert shop.customer("u1").orders.count == 1
    assert shop.dead == []


def test_whoever_ordered_before_the_deadline_is_not_silent():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    talk(shop, phone="+15550001")
    shop.wait(10 * MINUTE)
    shop.order("u1")
    shop.wait(DAY)
    assert "abandoned_dialog" not in shop.fired


def test_a_full_cart_makes_the_wait_shorter_even_while_it_runs():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    talk(shop, phone="+15550001")
    shop.wait(5 * MINUTE)
    shop.add("sofa", price=12_000.0, name="Sofa")
    shop.wait(6 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]
    alert = shop.triggers[0].alert
    assert (alert.value, [line.name for line in alert.cart]) == (12_000.0, ["Sofa"])


def test_waits_differ_by_manager_and_tag():
    scenario = parse_any(
        "id: silent\nversion: 1\ntitle: Silent\ndialog:\n  watch: silent_client\n  for: 30m\n  cases:\n"
        "    - {when: {tag: vip}, for: 5m}\n    - {when: {manager: boris}, for: 1h}\n"
        "cascade:\n  - {channel: email, template: alert}\n"
    )
    shop = room(dialogs=[scenario])
    talk(shop, dialog="d1", client="c1", tags=["vip"])
    talk(shop, dialog="d2", client="c2", manager="888")
    shop.asks(dialog="d3", client="c3")
    shop.answers(dialog="d3", client="c3")
    shop.wait(6 * MINUTE)
    assert [trigger.alert.dialog for trigger in shop.triggers] == ["telegram:shop:d1"]
    shop.wait(25 * MINUTE)
    assert [trigger.alert.dialog for trigger in shop.triggers] == ["telegram:shop:d1", "telegram:shop:d3"]
    shop.wait(30 * MINUTE)
    assert len(shop.triggers) == 3


def test_a_client_who_waits_for_the_first_answer_is_told_of(shop):
    shop.asks()
    shop.wait(11 * MINUTE)
    assert shop.fired == ["first_response"]
    shop.answers()
    assert shop.updates[-1].reason == Reason.ENDED_BY_MANAGER
    row = shop.board["telegram:shop:d1"]
    assert row.first_response == 11 * MINUTE
    assert row.waiting is Speaker.CLIENT


def test_the_next_answer_has_its_own_promise(shop):
    talk(shop)
    shop.asks("And in red?")
    shop.wait(29 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert shop.fired == ["next_response"]


@pytest.mark.parametrize("status", [DialogStatus.PENDING, DialogStatus.SNOOZED])
def test_the_clock_stands_while_the_dialog_waits_for_the_client(shop, status):
    shop.asks()
    shop.wait(6 * MINUTE)
    shop.chat(ChatKind.STATUS, status=status)
    shop.wait(3 * HOUR)
    assert shop.fired == []
    shop.chat(ChatKind.STATUS, status=DialogStatus.OPEN)
    shop.wait(3 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert shop.fired == ["first_response"]


def test_the_promise_of_a_resolution_counts_only_the_clients_waiting():
    scenario = parse_any(
        "id: slow\nversion: 1\ntitle: Slow\ndialog: {watch: resolution, for: 1h}\n"
        "cascade:\n  - {channel: email, template: alert}\n"
    )
    shop = room(dialogs=[scenario])
    for _ in range(5):
        shop.asks()
        shop.wait(11 * MINUTE)
        shop.answers()
        shop.wait(5 * HOUR)
    assert shop.fired == []
    shop.asks()
    shop.wait(6 * MINUTE)
    assert shop.fired == ["slow"]


def test_friday_half_past_four_and_an_hour_is_monday_half_past_nine():
    hours = BusinessHours(ZoneInfo("UTC"), {day: [(540, 1020)] for day in range(5)})
    scenario = parse_any(
        "id: silent\nversion: 1\ntitle: Silent\ndialog: {watch: silent_client, for: 1h}\n"
        "cascade:\n  - {channel: email, template: alert}\n"
    )
    shop = room(hours, [scenario])
    shop.clock.advance(1_700_238_600.0 - shop.clock.now())  # Friday 2023-11-17 16:30
    shop.answers("We have it")
    shop.wait(2 * DAY + 16 * HOUR + 59 * MINUTE)
    assert shop.fired == []
    shop.wait(MINUTE)
    assert shop.fired == ["silent"]


# -- what the team says


def test_nobody_took_it_so_the_next_in_line_is_told_and_then_the_head(shop):
    talk(shop)
    shop.wait(30 * MINUTE + 15 * MINUTE + 1)
    shop.wait(15 * MINUTE)
    shop.wait(3 * HOUR)
    assert [trigger.addresses["email"] for trigger in shop.triggers] == [
        "anna@shop.example",
        "boris@shop.example",
        "vera@shop.example",
    ]
    assert [trigger.alert.level for trigger in shop.triggers] == [0, 1, 2]
    assert len({trigger.trigger_id for trigger in shop.triggers}) == 3
    assert len({trigger.alert.alert_id for trigger in shop.triggers}) == 1


def test_whoever_takes_it_stops_the_escalation_by_the_alert_alone(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.press("take", shop.triggers[0].alert.alert_id)
    shop.wait(3 * HOUR)
    assert shop.fired == ["abandoned_dialog"]
    assert (shop.updates[-1].state, shop.updates[-1].by) == (AlertState.TAKEN, "anna")
    assert shop.board["telegram:shop:d1"].taken_by == "anna"


def test_a_snooze_of_an_hour_comes_back_after_an_hour_to_whoever_snoozed(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.press("snooze", shop.triggers[0].alert.alert_id, by="boris", seconds=3600)
    shop.wait(59 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]
    shop.wait(2 * MINUTE)
    assert [trigger.addresses["email"] for trigger in shop.triggers] == ["anna@shop.example", "boris@shop.example"]
    assert len({trigger.alert.alert_id for trigger in shop.triggers}) == 1


def test_a_snooze_ends_with_the_clients_answer(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.press("snooze", shop.triggers[0].alert.alert_id)
    shop.asks("Hello again")
    shop.answers("Hello")
    shop.wait(29 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]


def test_what_is_not_relevant_is_not_told_again(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.press("dismiss", shop.triggers[0].alert.alert_id)
    shop.answers("Anything else?")
    shop.wait(DAY)
    assert shop.fired == ["abandoned_dialog"]


@pytest.mark.parametrize("kind", ["dismiss", "snooze", "resolve"])
def test_a_press_below_an_alert_that_has_ended_leaves_the_next_wait_alone(shop, kind):
    talk(shop)
    shop.wait(31 * MINUTE)
    alert = shop.triggers[0].alert.alert_id
    shop.asks("One more question")
    shop.press(kind, alert)
    assert shop.reasons()[-1] == Reason.UNKNOWN_ALERT
    assert "telegram:shop:d1" in shop.board
    asked = shop.clock.now()
    shop.wait(3 * HOUR)
    waited = [trigger.due - asked for trigger in shop.triggers if trigger.scenario == "next_response"]
    assert waited
    assert waited[0] < HOUR


def test_the_board_resolves_a_dialog_whose_alert_has_ended(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.asks("One more question")
    shop.press("resolve", shop.triggers[0].alert.alert_id, customer=CLIENT, dialog="telegram:shop:d1")
    assert shop.board == {}


def test_whoever_takes_over_after_the_end_of_an_alert_does_not_make_it_end_again(shop):
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.asks("I am back")
    told = len(shop.updates)
    shop.press("take", shop.triggers[0].alert.alert_id)
    assert len(shop.updates) == told
    assert shop.board["telegram:shop:d1"].taken_by == "anna"


def test_the_board_takes_snoozes_and_resolves_without_an_alert(shop):
    shop.asks()
    where = {"customer": CLIENT, "dialog": "telegram:shop:d1"}
    shop.press("snooze", seconds=1800, **where)
    shop.wait(29 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert shop.fired == ["first_response"]
    shop.press("resolve", **where)
    assert shop.board == {}
    assert shop.updates[-1].ends


def test_a_command_twice_is_done_once_and_an_unknown_one_says_so(shop):
    talk(shop)
    shop.press("take", "0" * 32)
    assert Reason.UNKNOWN_ALERT in shop.reasons()
    assert shop.dead == []


def test_the_escalation_can_hand_the_dialog_over():
    shop = room(dialogs=[silent_only(escalate="{after: 10m, reassign: true}")])
    talk(shop)
    shop.wait(41 * MINUTE)
    assert shop.board["telegram:shop:d1"].member == "boris"


def test_an_alert_that_was_the_teams_goes_along_the_whole_line_even_where_each_takes_the_dialog_over():
    shop = room(dialogs=[silent_only(escalate="{after: 10m, reassign: true}")])
    talk(shop, manager="stranger")
    shop.wait(3 * HOUR)
    told = [trigger.addresses["email"].split("@")[0] for trigger in shop.triggers]
    assert told == ["sales", "anna", "boris", "vera"]
    assert [trigger.alert.level for trigger in shop.triggers] == [0, 1, 2, 3]


# -- with what the site knows


def test_an_open_dialog_holds_the_cart_mail_and_its_end_lets_it_go():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    shop.add("p1", price=5.0)
    shop.asks(phone="+15550001")
    shop.wait(2 * HOUR)
    assert "abandoned_cart" not in shop.fired
    assert Reason.HELD_BY_DIALOG in shop.reasons("abandoned_cart")
    shop.chat(ChatKind.CLOSED)
    shop.wait(1)
    assert "abandoned_cart" in shop.fired


def test_a_return_to_the_site_raises_the_alert_and_says_what_is_looked_at():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    shop.view("sofa", name="Sofa")
    talk(shop, phone="+15550001")
    shop.wait(HOUR)
    assert "abandoned_dialog" in shop.fired
    shop.event("", type="page")
    assert (shop.updates[-1].reason, shop.updates[-1].alert.priority) == (Reason.CLIENT_RETURNED, 1)
    shop.view("sofa", name="Sofa")
    assert shop.updates[-1].alert.note == "Sofa"
    told = len(shop.updates)
    for _ in range(10):
        shop.view("lamp", name="Lamp")
        shop.event("", type="page")
    assert len(shop.updates) == told
    assert shop.board["telegram:shop:d1"].note == "Sofa"


def test_a_back_end_that_tells_something_is_no_return_to_the_site():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    talk(shop, phone="+15550001")
    shop.wait(HOUR)
    told = len(shop.updates)
    shop.event("Live Chat Message Received", source="server")
    assert len(shop.updates) == told


def test_a_page_view_of_somebody_with_a_dialog_counts_as_a_visit():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    talk(shop, phone="+15550001")
    shop.event("", type="page")
    shop.wait(5)
    shop.event("", type="page")
    assert shop.customer("u1").last_seen == shop.clock.now()


# -- who it is


def test_a_phone_that_the_provider_vouches_for_makes_messenger_and_site_one_customer():
    shop = room()
    shop.subscriber("u1", phone="+15550001")
    shop.add("p1", price=3.0)
    shop.asks(phone="+15550001")
    assert isinstance(shop.customer(CLIENT), Pointer)
    assert shop.customer("u1").dialogs[0].key == "telegram:shop:d1"
    shop.wait(MINUTE)
    shop.answers()
    assert shop.customer("u1").dialogs[0].manager_at == shop.clock.now()
    shop.wait(31 * MINUTE)
    assert shop.triggers[0].customer == "u1"


def test_a_dialog_waits_under_its_phone_for_the_user_who_says_it_is_his():
    shop = room()
    talk(shop, phone="+15550001", email="Olga@shop.example")
    shop.wait(31 * MINUTE)
    alert = shop.triggers[0].alert.alert_id
    assert shop.triggers[0].customer == "email:olga@shop.example"
    shop.identify("u9", phone="+15550001")
    assert [item.key for item in shop.customer("u9").dialogs] == ["telegram:shop:d1"]
    assert shop.board["telegram:shop:d1"].customer == "u9"
    shop.press("take", alert)
    assert shop.board["telegram:shop:d1"].taken_by == "anna"


def test_a_second_user_who_names_the_phone_does_not_split_a_client_whose_address_is_the_first_ones():
    shop = room()
    known = {"phone": "+4911111111", "email": "ann@x.example"}
    shop.asks(**known)
    shop.identify("u0", email=known["email"])
    shop.wait(MINUTE)
    shop.answers(**known)
    shop.identify("u1", phone=known["phone"])
    assert Reason.LINK_REFUSED in shop.reasons()
    shop.wait(MINUTE)
    shop.asks("I take it", **known)
    shop.wait(HOUR)
    assert "abandoned_dialog" not in shop.fired
    assert shop.customer("u0").dialogs[0].client_text == "I take it"
    assert shop.customer("u1").dialogs is None
    assert shop.dead == []


def test_a_user_id_with_a_proof_leads_straight_home():
    shop = room()
    shop.asks(user_id="u1")
    assert shop.customer("u1").dialogs is not None


def test_linking_a_visitor_brings_his_dialog_along():
    shop = room()
    shop.view("p1", user=None, anonymous="a1")
    shop.asks(key="anon:a1")
    shop.answers(key="anon:a1")
    shop.identify("u1", anonymous="a1")
    shop.wait(31 * MINUTE)
    assert shop.triggers[0].customer == "u1"


# -- odd order, repetition, bounds


def test_history_alerts_nobody():
    shop = room()
    now = shop.clock.now()
    shop.asks(at=now - 3 * DAY)
    shop.answers(at=now - 2 * DAY)
    shop.wait(3 * DAY)
    assert shop.fired == []


@pytest.mark.parametrize("id", ["first", "edit"])
def test_a_word_of_yesterday_that_is_told_again_or_edited_does_not_silence_a_client_who_waits(id):
    shop = room()
    asked = shop.clock.now()
    shop.asks(id="first", message_id="m1")
    shop.wait(MINUTE)
    shop.answers()
    shop.wait(25 * HOUR)
    before = len(shop.fired)
    shop.asks("And the armchair?")
    shop.wait(MINUTE)
    shop.asks("Is it in stock now?", at=asked, id=id, message_id="m1")
    shop.wait(2 * HOUR)
    assert "next_response" in shop.fired[before:]


def test_an_assignment_of_yesterday_does_not_excuse_the_silence_of_today():
    shop = room()
    assigned = shop.clock.now()
    shop.asks()
    shop.wait(25 * HOUR)
    shop.answers()
    shop.chat(ChatKind.ASSIGNED, manager="777", at=assigned)
    shop.wait(31 * MINUTE)
    assert "abandoned_dialog" in shop.fired


def test_an_answer_that_is_heard_of_before_the_question_is_still_an_answer():
    shop = room()
    now = shop.clock.now()
    shop.answers(at=now)
    shop.asks(at=now - 60)
    shop.wait(11 * MINUTE)
    assert shop.fired == []
    shop.wait(20 * MINUTE)
    assert shop.fired == ["abandoned_dialog"]


def test_a_late_word_of_the_client_does_not_make_a_second_alert_of_one_silence():
    shop = room()
    talk(shop)
    shop.wait(31 * MINUTE)
    shop.asks(at=shop.clock.now() - 31 * MINUTE - 5)
    shop.wait(5 * HOUR)
    assert len({trigger.alert.alert_id for trigger in shop.triggers}) == 1


def test_what_is_repeated_changes_nothing():
    shop = room()
    shop.asks(id="e1")
    shop.answers(id="e2")
    shop.asks(id="e3")
    row = shop.board["telegram:shop:d1"]
    shop.answers(id="e2", at=shop.clock.now())
    assert shop.board["telegram:shop:d1"].waiting == row.waiting == Speaker.MANAGER


def test_a_client_with_many_dialogs_keeps_the_last_eight():
    shop = room()
    for number in range(12):
        shop.asks(dialog=f"d{number}")
        shop.wait(1)
    assert len(shop.customer(CLIENT).dialogs) == 8
    assert sorted(shop.board) == sorted(f"telegram:shop:d{number}" for number in range(4, 12))


@pytest.mark.parametrize(
    ("told", "key"),
    [({}, CLIENT), ({"phone": "+15550001"}, "phone:+15550001"), ({"email": "a@x.example"}, "email:a@x.example")],
)
def test_a_dialog_in_which_nothing_happens_any_more_is_forgotten_with_its_client(told, key):
    shop = room()
    talk(shop, **told)
    assert shop.customer(key).dialogs
    shop.wait(40 * DAY)
    assert shop.customer(key) is None
    assert shop.board == {}
    assert Reason.DIALOG_FORGOTTEN in shop.reasons()


@pytest.mark.parametrize(
    ("kind", "told"),
    [(ChatKind.STATUS, {"status": DialogStatus.RESOLVED}), (ChatKind.CLOSED, {}), (ChatKind.CLOSED, {"name": "Olga"})],
)
def test_news_of_a_dialog_that_is_not_known_leaves_nothing(shop, kind, told):
    shop.chat(kind, **told)
    assert shop.customer(CLIENT) is None
    assert shop.dead == []


def test_a_closed_dialog_stays_known_for_a_day_so_that_late_news_does_not_open_it():
    shop = room()
    talk(shop)
    shop.wait(1)
    shop.chat(ChatKind.CLOSED)
    shop.wait(HOUR)
    shop.answers(at=shop.clock.now() - HOUR - 10)
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert shop.customer(CLIENT) is None


@pytest.mark.parametrize("heard_late", [False, True])
def test_a_client_who_writes_after_the_closing_waits_from_that_word_on_whatever_is_heard_of_first(heard_late):
    shop = room()
    shop.asks()
    shop.wait(5 * MINUTE)
    closed = shop.clock.now()
    if not heard_late:
        shop.chat(ChatKind.CLOSED)
    shop.wait(MINUTE)
    shop.asks(text="And one thing more")
    if heard_late:
        shop.wait(1)
        shop.chat(ChatKind.CLOSED, at=closed)
    dialog = shop.customer(CLIENT).dialogs[0]
    assert dialog.status is DialogStatus.OPEN
    assert (dialog.asked_at, dialog.opened_at, dialog.run_at) == (closed + MINUTE,) * 3
    assert (dialog.wait_spent, dialog.work_spent) == (0.0, 0.0)


def test_messages_of_an_alert_are_changed_where_they_lie_though_the_client_is_known_by_another_key_since():
    shop = room(partitions=16)
    talk(shop)
    shop.wait(HOUR)
    told = {trigger.trigger_id for trigger in shop.triggers if trigger.scenario == "abandoned_dialog"}
    assert {trigger.customer for trigger in shop.triggers} == {CLIENT}
    shop.told.clear()
    shop.chat(ChatKind.ASSIGNED, manager="777", phone="+15550001")
    shop.subscriber("u1", phone="+15550001")
    assert shop.customer("u1").dialogs
    places = {partition_of(key, 16) for key in (CLIENT, "phone:+15550001", "u1")}
    assert len(places) == 3
    shop.asks(phone="+15550001")
    assert {(partition_of(CLIENT, 16), name) for name in told} <= shop.told
    assert {place for place, _ in shop.told} <= places


def test_an_alert_without_an_address_stands_on_the_board():
    shop = Engine(dialogs=load_dialogs(BUILT_IN), staff=Staff(Team()))
    talk(shop)
    shop.wait(31 * MINUTE)
    assert shop.fired == []
    assert Reason.NO_ADDRESS in shop.reasons("abandoned_dialog")
    assert shop.board["telegram:shop:d1"].alert_state is AlertState.OPEN


def test_after_a_long_outage_an_alert_is_dropped_with_its_reason():
    shop = room()
    talk(shop)
    shop.clock.advance(3 * DAY)
    shop.wait(1)
    assert "abandoned_dialog" not in shop.fired
    assert Reason.TOO_LATE in shop.reasons("abandoned_dialog")


def test_consent_told_by_a_messenger_is_kept():
    shop = room()
    shop.chat(ChatKind.CONSENT, granted=True)
    assert shop.customer(CLIENT).consent["telegram"].granted


def test_without_scenarios_of_dialogs_nothing_is_armed_but_all_is_remembered():
    shop = Engine()
    talk(shop)
    shop.wait(DAY)
    assert shop.fired == []
    assert isinstance(shop.customer(CLIENT), Customer)
    assert shop.dead == []
