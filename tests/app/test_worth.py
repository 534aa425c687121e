"""What scenarios brought, from lines of the journal on real SQLite and PostgreSQL to the figures, sentences, page, JSON and command."""

import json
import random
from collections import defaultdict

import pytest

from agents.scenarios.load import parse
from agents.worth.intervals import Interval
from agents.worth.uplift import Reached, Uplift, Verdict, of_goals
from app import cli
from app.journal_store import JournalStore
from app.model.journal import JournalLine
from app.model.policy import Policy
from app.model.reasons import Reason
from app.model.receipt import Outcome
from app.web.console.scenarios_page import scenarios
from app.worth import RECIPIENTS, Said, sentence, worth_of
from tests.agents.test_cascade import EVERYWHERE
from tests.agents.test_policy import SMS
from tests.agents.test_worth import MAIL
from tests.app.test_console import EVIL, client, clock, console, journal
from tests.app.test_journal_store import NOW, place, postgres, store, url
from tests.driver import HOUR, Engine

__all__ = ("client", "clock", "console", "postgres", "store", "url")
DAY = 86_400.0
CART = "abandoned_cart"


def entered(number, group=RECIPIENTS, at=NOW, scenario=CART):
    detail = {"items": 1, "value": 20.0}
    if group == RECIPIENTS:
        return JournalLine(at, f"c{number}", Reason.FIRED, scenario, f"t{number}", detail=detail)
    return JournalLine(
        at, f"c{number}", Reason.CONTROL_GROUP, scenario, f"t{number}", detail={**detail, "group": group}
    )


def bought(
    number, value, group=RECIPIENTS, at=NOW, order="", currency="EUR", scenario=CART, reason=Reason.BOUGHT_AFTER, **more
):
    detail = {
        "fired_at": at,
        "group": group,
        "order": order or f"o{number}",
        "value": value,
        "currency": currency,
        **more,
    }
    return JournalLine(at + 60, f"c{number}", reason, scenario, detail=detail)


def sent(number, channel="email", reason=Reason.SENT, price=0.0, **more):
    detail = {"message_id": f"t{number}.0", "attempt": 1, **({"price": price} if price else {}), **more}
    return JournalLine(NOW + 1, f"c{number}", reason, CART, f"t{number}", channel=channel, detail=detail)


def told(number, outcome, channel="email"):
    detail = {"outcome": outcome, "message": f"t{number}.0"}
    return JournalLine(NOW + 2, f"c{number}", Reason.RECEIPT, CART, f"t{number}", channel=channel, detail=detail)


def owed(number, value, reason=Reason.ATTRIBUTED, channel="email", at=NOW, **more):
    detail = {"order": f"o{number}", "value": value, "currency": "EUR", **more}
    return JournalLine(at + 60, f"c{number}", reason, CART, f"t{number}", channel=channel, detail=detail)


def keep(store, *lines):
    store.insert([place(line, offset) for offset, line in enumerate(lines)])


def worth(store, since=NOW - DAY, until=NOW + DAY):
    return {one.scenario: one for one in worth_of(store.worth(since, until))}


def test_messages_reactions_and_costs_are_counted_once_a_message(store):
    keep(
        store,
        *(entered(number) for number in range(4)),
        sent(0, price=0.0),
        sent(1, "sms", Reason.AMBIGUOUS, price=3.5),
        sent(1, "sms", Reason.RECEIPT, price=3.5),  # it had arrived after all
        sent(2, "sms", price=7.0),
        sent(3, "sms", Reason.RETRY),
        told(0, "opened"), told(0, "opened"), told(0, "clicked"), told(0, "delivered"), told(2, "replied", "sms"),
    )  # fmt: skip
    found = worth(store)[CART]
    email, sms = found.channels
    assert (email.channel, email.sent, email.opened, email.clicked, email.cost) == ("email", 1, 1, 1, 0.0)
    assert (sms.channel, sms.sent, sms.opened, sms.clicked, sms.cost) == ("sms", 2, 0, 1, 10.5)
    assert (found.sent, found.cost, found.recipients.times) == (3, 10.5, 4)


def test_orders_are_owed_less_what_was_taken_back(store):
    keep(
        store,
        entered(1),
        owed(1, 30.0),
        owed(2, 20.0),
        owed(2, 5.0, Reason.REFUNDED, whole=0),
        owed(3, 50.0),
        owed(3, 50.0, Reason.REATTRIBUTED, whole=1),
        owed(3, 50.0, channel="sms"),
        owed(3, 50.0, Reason.ASSOCIATED),
        owed(4, 9.0),
        owed(4, 9.0, Reason.REFUNDED, whole=1),
    )
    email, sms = worth(store)[CART].owed
    assert (email.channel, email.currency, email.orders, email.revenue, email.associated) == (
        "email",
        "EUR",
        2,
        45.0,
        1,
    )
    assert (sms.orders, sms.revenue, sms.associated) == (1, 50.0, 0)


def reviewed(number, reason=Reason.GOAL_ATTRIBUTED, channel="email", value=0.0):
    detail = {
        "goal": "Product Reviewed",
        "order": f"m{number}",
        **({"value": value, "currency": "EUR"} if value else {}),
    }
    return JournalLine(NOW + 60, f"c{number}", reason, CART, f"t{number}", channel=channel, detail=detail)


def test_goals_that_are_no_orders_are_owed_by_channel_with_what_they_are_worth(store):
    after = [
        JournalLine(NOW + 60, f"c{number}", Reason.GOAL_AFTER, CART,
                    detail={"fired_at": NOW, "group": group, "goal": "Product Reviewed", "order": f"m{number}"})
        for number, group in ((1, RECIPIENTS), (2, RECIPIENTS), (60, "all"))
    ]  # fmt: skip
    keep(
        store,
        *(entered(number, RECIPIENTS if number < 60 else "all") for number in range(120)),
        *after,
        sent(1), sent(2, "sms"),
        reviewed(1), reviewed(2, channel="sms"), reviewed(3, channel="sms", value=7.0),
        reviewed(1, Reason.GOAL_ASSOCIATED, "sms"),
    )  # fmt: skip
    found = worth(store)[CART]
    assert (found.goal, found.recipients.reached, found.control.reached) == ("Product Reviewed", 2, 1)
    assert [(one.channel, one.currency, one.goals, one.goals_associated, one.revenue, one.orders) for one in found.owed] == [
        ("email", "", 1, 0, 0.0, 0), ("sms", "", 1, 1, 0.0, 0), ("sms", "EUR", 1, 0, 7.0, 0),
    ]  # fmt: skip
    assert found.uplift.verdict is Verdict.NOT_SURE and "goals (Product Reviewed) of 1,000 customers" in found.sentence
    html = scenarios([found], 30, "EUR").decode()
    assert "<dt>Goals owed to it</dt><dd>3</dd>" in html and "<th>Goals owed</th>" in html and "7 EUR" in html


def test_a_goal_counts_once_a_customer_and_not_if_it_was_given_back(store):
    keep(
        store,
        *(entered(number) for number in range(5)),
        *(entered(number, group) for number, group in ((10, "all"), (11, CART))),
        bought(0, 10.0), bought(0, 5.0, order="second"),
        bought(1, 10.0), bought(1, 10.0, reason=Reason.GOAL_UNDONE, whole=1),
        bought(2, 10.0), bought(2, 4.0, reason=Reason.GOAL_UNDONE, whole=0),
        bought(10, 7.0, "all"), bought(11, 9.0, CART, currency="USD"),
    )  # fmt: skip
    found = worth(store)[CART]
    assert (found.recipients.customers, found.recipients.reached, found.recipients.goals) == (5, 2, 3)
    assert (found.control.customers, found.control.reached) == (2, 2)
    assert {one.currency: (one.recipients, one.control) for one in found.money} == {
        "EUR": (21.0 / 5, 3.5),
        "USD": (0.0, 4.5),
    }
    assert found.uplift.verdict is Verdict.TOO_FEW


def test_a_later_stage_that_the_control_group_holds_back_enters_nobody(store):
    line = JournalLine(NOW, "c1", Reason.CONTROL_GROUP, CART, "t1", detail={"stage": 2, "group": "all"})
    keep(store, line)
    assert worth(store)[CART].control.customers == 0
    assert worth(store)[CART].held == {"control_group": 1}


def test_goals_belong_to_the_time_at_which_the_scenario_came_due(store):
    keep(store, entered(1, at=NOW - 2 * DAY), bought(1, 10.0, at=NOW - 2 * DAY), entered(2), bought(2, 10.0))
    assert worth(store)[CART].recipients.reached == 1
    assert worth(store, NOW - 3 * DAY, NOW - DAY)[CART].recipients.reached == 1
    assert worth(store, NOW - 9 * DAY, NOW - 8 * DAY) == {}


def test_a_line_that_is_delivered_twice_counts_once_and_what_is_erased_or_past_retention_not_at_all(store):
    for _ in range(2):
        keep(store, entered(1), entered(2), entered(3, at=NOW - 50 * DAY), bought(1, 10.0))
    assert worth(store)[CART].recipients.customers == 2
    store.erase("c1")
    assert (worth(store)[CART].recipients.customers, worth(store)[CART].recipients.reached) == (1, 0)
    assert store.prune(NOW - 10 * DAY) == 1
    assert CART not in worth(store, NOW - 60 * DAY, NOW - 40 * DAY)


def test_held_back_messages_are_told_by_reason_and_lines_without_a_scenario_say_nothing(store):
    keep(
        store,
        JournalLine(NOW, "c1", Reason.CAP, CART, detail={"channel": "email"}),
        JournalLine(NOW, "c1", Reason.BUDGET, CART, "t1", channel="sms"),
        JournalLine(NOW, "c2", Reason.CAP, CART),
        JournalLine(NOW, "c2", Reason.ARMED, CART),
        JournalLine(NOW, "c2", Reason.CONSENT_CHANGED),
        JournalLine(NOW, "c2", "a_reason_of_tomorrow", CART),
    )
    assert worth(store)[CART].held == {"budget_spent": 1, "frequency_cap": 2}


def test_the_sums_are_those_that_a_walk_over_all_lines_gives(store):
    dice = random.Random(5)
    lines, spent, customers = [], defaultdict(float), defaultdict(set)
    for number in range(1_500):
        scenario, group = dice.choice([CART, "wish"]), dice.choice([RECIPIENTS, RECIPIENTS, RECIPIENTS, "all"])
        lines.append(entered(number, group, NOW + number, scenario))
        customers[scenario, group].add(number)
        if dice.random() < (0.2 if group == RECIPIENTS else 0.1):
            value = float(dice.randrange(1, 100))
            lines.append(bought(number, value, group, NOW + number, scenario=scenario))
            spent[scenario, group, number] += value
    keep(store, *lines)
    for name, found in worth(store).items():
        counts = []
        for group, sums in ((RECIPIENTS, found.recipients), ("all", found.control)):
            buyers = {n: value for (s, g, n), value in spent.items() if (s, g) == (name, group)}
            counts.append(Reached(len(customers[name, group]), len(buyers)))
            assert (sums.customers, sums.reached) == counts[-1]
            mean = found.money[0].recipients if group == RECIPIENTS else found.money[0].control
            assert mean == pytest.approx(sum(buyers.values()) / len(customers[name, group]))
        assert found.uplift == of_goals(*counts)


def test_what_the_core_decided_of_a_shop_adds_up_in_the_database(store):
    """From customers' events through the core and its journal to the sums: refunds, late clicks, a control group."""
    dice = random.Random(3)
    shop = Engine([parse(SMS), parse(MAIL)], policy=Policy(quiet=None, caps=(), control=0.3, currency="EUR"))
    for number in range(60):
        shop.identify(f"u{number}", email=f"u{number}@shop.example", phone=f"+7916{number:07}", consent=EVERYWHERE)
        shop.event(dice.choice(["Wished", "Looked"]), f"u{number}")
        shop.add("p1", f"u{number}")
    shop.wait(HOUR + 2)
    for trigger in shop.triggers:
        shop.receipt(trigger)
        if dice.random() < 0.7:
            shop.receipt(trigger, Outcome.OPENED)
    clicked_at = shop.clock.now() + 1
    shop.wait(HOUR)
    for number in range(60):
        if dice.random() < 0.6:
            shop.event("Order Completed", f"u{number}", order_id=f"o{number}", total=10.0)
        if dice.random() < 0.3:
            shop.event("Order Refunded", f"u{number}", order_id=f"o{number}", total=dice.choice([0.0, 4.0]))
    for trigger in shop.triggers[::3]:
        shop.receipt(trigger, Outcome.CLICKED, at=clicked_at)
    keep(store, *shop.journal)
    orders, revenue, groups = defaultdict(int), defaultdict(float), defaultdict(set)
    signs = {Reason.ATTRIBUTED: 1, Reason.REATTRIBUTED: -1, Reason.REFUNDED: -1}
    for line in shop.journal:
        if line.reason in signs:
            sign = signs[line.reason]
            orders[line.scenario] += sign * line.detail.get("whole", 1)
            revenue[line.scenario] += sign * line.detail["value"]
        elif line.reason in (Reason.FIRED, Reason.CONTROL_GROUP):
            groups[line.scenario, str(line.reason)].add(line.customer)
    found = worth(store, 0.0, shop.clock.now() + DAY)
    assert set(found) == {"cart", "wish"}
    for name, one in found.items():
        assert sum(owed.orders for owed in one.owed) == orders[name] > 0
        assert sum(owed.revenue for owed in one.owed) == revenue[name] > 0
        assert one.recipients.customers == len(groups[name, "fired"]) > 0
        assert one.control.customers == len(groups[name, "control_group"]) > 0
        assert one.control.reached > 0


ORDERS = Said(1_000.0, "order", "orders", " of 1,000 customers")
EUROS = Said(1.0, "EUR", "EUR", " a customer")


@pytest.mark.parametrize(
    ("interval", "verdict", "said", "digits", "words"),
    [
        ((0.012, 0.003, 0.021), Verdict.MORE, ORDERS, 0, "12 more orders of 1,000 customers (between 3 and 21), sure"),
        ((0.001, -0.005, 0.0294), Verdict.NOT_SURE, ORDERS, 0, "1 more order of 1,000 customers (between 5 fewer and 29 more), not sure"),
        ((-0.012, -0.021, -0.003), Verdict.LESS, ORDERS, 0, "12 fewer orders of 1,000 customers (between 3 and 21), sure"),
        ((3.2, 1.1, 5.3), Verdict.MORE, EUROS, 2, "3.20 EUR more a customer (between 1.10 and 5.30), sure"),
        ((-3.2, -7.5, 1.1), Verdict.NOT_SURE, EUROS, 2, "3.20 EUR less a customer (between 7.50 less and 1.10 more), not sure"),
        ((0, 0, 0), Verdict.TOO_FEW, ORDERS, 0, "too few to tell: 1 recipient and 900 in the control group, and at least 50 of each are needed"),
        ((0, 0, 0), Verdict.NO_CONTROL, ORDERS, 0, "there is no control group, so nothing tells what would have happened without it"),
    ],
)  # fmt: skip
def test_a_difference_is_told_in_words_with_how_sure_it_is(interval, verdict, said, digits, words):
    assert sentence(Uplift(Interval(*interval), verdict), 1, 900, said, digits=digits) == words


def crowd(now, scenario=CART):
    """Enough customers for a verdict: recipients of whom a fifth orders, and a control group of whom hardly anybody does."""
    lines = []
    for number in range(600):
        group = "all" if number % 4 == 0 else RECIPIENTS
        lines.append(entered(number, group, now - 100, scenario))
        if number % (5 if group == RECIPIENTS else 100) == 1:
            lines.append(bought(number, 25.0, group, now - 100, scenario=scenario))
    return lines


async def test_the_page_and_its_json_say_what_scenarios_brought(console, client, clock):
    journal(console, *crowd(clock.now()), entered(1, at=clock.now() - 5, scenario="wish"))
    answer = await client.get("/api/scenarios?days=7")
    cart, wish = answer.json()["scenarios"]
    assert answer.json()["days"] == 7
    assert (cart["scenario"], cart["recipients"]["customers"], cart["control"]["customers"]) == (CART, 450, 150)
    assert cart["uplift"]["verdict"] == "sure_more"
    assert cart["uplift"]["low"] > 0
    assert cart["money"][0]["currency"] == "EUR"
    assert wish["uplift"] == {"verdict": "no_control_group"}
    text = (await client.get("/scenarios")).text
    assert "more orders of 1,000 customers (between" in text
    assert "there is no control group" in text
    assert 'href="/scenarios?days=30" aria-current="true"' in text
    assert "No scenario has come due" not in text


async def test_a_shop_without_any_decision_is_told_so(client):
    assert "No scenario has come due in this time" in (await client.get("/scenarios?days=1")).text
    assert (await client.get("/scenarios?days=soon")).status_code == 400


async def test_the_sums_are_not_asked_for_again_at_once(console, clock, monkeypatch):
    journal(console, entered(1, at=clock.now() - 5))
    asked = []
    plain = JournalStore.worth
    monkeypatch.setattr(JournalStore, "worth", lambda *args: asked.append(args) or plain(*args))
    for _ in range(3):
        assert len(await console.worth(30)) == 1
    await console.worth(7)
    clock.advance(60)
    await console.worth(30)
    assert len(asked) == 3


def test_names_from_outside_are_shown_as_text():
    from app.worth import Sums

    sums = Sums(
        {(EVIL, RECIPIENTS): (1, 1)},
        {(EVIL, RECIPIENTS): (1, 1, EVIL)},
        {},
        {(EVIL, EVIL, "sent"): (1, 0.0)},
        {},
        {(EVIL, EVIL): 1},
    )
    assert b"<script>alert" not in scenarios(worth_of(sums), 30, EVIL)


@pytest.fixture
def told_by(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BOOMERANG_DATA", str(tmp_path))

    def call(*words):
        status = cli.main(["worth", *words])
        return status, capsys.readouterr()

    return call


def test_the_command_tells_it_as_a_table_and_as_json(told_by, tmp_path):
    store = JournalStore(f"sqlite:///{tmp_path}/journal.sqlite")
    keep(store, *crowd(NOW), owed(1, 25.0, at=NOW - 200), sent(1, "sms", price=3.5))
    store.close()
    between = ("--from", str(NOW - 9_000), "--to", str(NOW + 9_000))
    status, shown = told_by(*between)
    assert status == 0
    head, *rows = shown.out.splitlines()[1:]
    assert head.split()[:3] == ["scenario", "fired", "control"]
    assert rows[0].split() == [CART, "450", "150", "1", "0", "0", "1", "0", "25.00", "EUR", "3.50"]
    assert "more orders of 1,000 customers (between" in rows[1]
    status, shown = told_by(CART, "--json", *between)
    assert json.loads(shown.out)["scenarios"][0]["control"]["customers"] == 150


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ((), 1, "there is no journal in"),
        (("--days", "0"), 2, "--days must be above 0"),
        (("--from", "soon"), 2, "--from 'soon' is not a time"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), 2, "--from must lie before --to"),
    ],
)
def test_a_wrong_call_is_told_what_to_do(told_by, words, status, text):
    found, shown = told_by(*words)
    assert found == status
    assert text in shown.err


def test_a_scenario_of_which_nothing_is_known_is_named(told_by, tmp_path):
    JournalStore(f"sqlite:///{tmp_path}/journal.sqlite").insert([place(entered(1))])
    status, shown = told_by("wishes", "--days", "1")
    assert status == 1
    assert "nothing of wishes happened between" in shown.err
