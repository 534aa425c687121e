"""The policy at the moment of sending: quiet hours that a message ran into, and what a scenario may spend a day."""

import pytest

from agents.delivery.factory import make_delivery
from app import metrics
from app.clock import ManualClock
from app.errors import SettingsError
from app.model.policy import Policy, Quiet
from app.model.reasons import Reason
from app.model.trigger import CONFIRMATION, Cancel, Stage
from app.settings import Settings
from channels.channel import Ambiguous, Down, Retry, Sent
from channels.ledger import Spent
from tests.agents.ledger_table import LedgerTable, trigger
from tests.agents.speaking import Mouth, sender
from tests.channels.alerts import trigger as team_alert

HOUR, DAY = 3600.0, 86_400.0
NIGHT = Policy(quiet=Quiet(22 * 60, 9 * 60), caps=())
"""The clock begins at 22:13 UTC."""
MORNING = 11 * HOUR
DEAR = Policy(quiet=None, prices={"email": 2.0, "sms": 3.0}, budgets={"abandoned_cart": 10.0})


def late(number=1, **changes):
    now = 1_700_000_000.0
    return trigger(number, expires_at=now + 2 * DAY, cap=0.0, **({"quiet": "hold", "timezone": "UTC"} | changes))


async def test_a_message_that_runs_into_the_night_waits_for_the_morning():
    async with sender(policy=NIGHT) as one:
        await one.feed(late())
        await one.until(lambda: Reason.QUIET_HOURS in one.table.reasons())
        assert one.channel.asked == 0
        await one.advance(MORNING)
        await one.settled()
        assert [message.message_id for message in one.channel.spoken] == [f"{1:032x}.0"]
        assert one.table.reasons() == [Reason.QUIET_HOURS, Reason.SENT]


async def test_a_cancellation_in_the_night_is_met_in_it():
    async with sender(policy=NIGHT) as one:
        await one.feed(late())
        await one.until(lambda: Reason.QUIET_HOURS in one.table.reasons())
        await one.feed(Cancel(f"{1:032x}", "u1", Reason.GOAL_REACHED, one.clock.now()))
        await one.settled()
        await one.advance(MORNING)
        assert one.channel.asked == 0
        assert one.table.reasons() == [Reason.QUIET_HOURS, Reason.GOAL_REACHED]


@pytest.mark.parametrize(
    ("changes", "spoken"),
    [
        ({"quiet": "drop"}, False),
        ({"quiet": ""}, True),
        ({"timezone": "America/New_York"}, True),
        ({"timezone": "Mars/Olympus", "quiet": "drop"}, False),  # then the shop's clock counts
    ],
)
async def test_what_the_trigger_says_of_the_night_counts(changes, spoken):
    async with sender(policy=NIGHT) as one:
        await one.feed(late(**changes))
        await one.settled()
        assert bool(one.channel.spoken) is spoken
        assert one.table.reasons() == [Reason.SENT if spoken else Reason.QUIET_HOURS]


async def test_a_night_does_not_use_up_attempts():
    async with sender(Mouth([Retry(None, "not now")] * 7), policy=NIGHT) as one:
        await one.feed(late())
        await one.until(lambda: Reason.QUIET_HOURS in one.table.reasons())
        await one.advance(MORNING)
        for number in range(7):
            await one.until(lambda tried=number + 1: one.table.reasons().count(Reason.RETRY) == tried)
            await one.advance(1900)
        await one.settled()
        assert one.table.states() == {f"{1:032x}.0": "sent"}


async def test_a_scenario_spends_no_more_a_day_than_it_may():
    async with sender(policy=DEAR) as one:
        await one.feed(*(late(number, email=f"c{number}@shop.example") for number in range(8)))
        await one.settled()
        assert len(one.channel.spoken) == 5
        assert one.table.reasons().count(Reason.BUDGET) == 3
        (account,) = _accounts(one)
        assert account.amount == 10.0
        await one.advance(DAY)
        await one.feed(late(9, email="c9@shop.example"))
        await one.settled()
        assert len(one.channel.spoken) == 6


async def test_each_partition_may_spend_its_share():
    async with sender(policy=DEAR, partitions=5) as one:
        await one.feed(late(1, email="a@shop.example"), late(2, email="b@shop.example"))
        await one.settled()
        assert len(one.channel.spoken) == 1


async def test_what_the_provider_did_not_take_is_not_spent():
    async with sender(Mouth([Retry(None, "not now"), Sent("ok")]), policy=DEAR) as one:

        async def refuses(message, irreversible):
            await irreversible()
            return Retry(None, "not now")

        one.channel.answer = refuses
        await one.feed(late())
        await one.until(lambda: Reason.RETRY in one.table.reasons())
        assert [account.amount for account in _accounts(one)] == [0.0]
        one.channel.answer = Sent("ok")
        await one.advance(HOUR)
        await one.settled()
        assert [account.amount for account in _accounts(one)] == [2.0]
        assert [line.detail.get("price") for line in one.table.journal()] == [None, 2.0]


async def test_accounts_survive_a_crash_and_are_forgotten_after_some_days():
    table, clock = LedgerTable(), ManualClock()
    async with sender(table=table, clock=clock, policy=DEAR) as one:
        await one.feed(*(late(number, email=f"c{number}@shop.example") for number in range(5)))
        await one.settled()
        await one.crash()
    table.ours = True
    async with sender(table=table, clock=clock, policy=DEAR) as two:
        await two.feed(late(7, email="c7@shop.example"))
        await two.settled()
        assert two.channel.spoken == []
        step_rows = two.table.parts[0].rows
        key = next(key for key in step_rows if key.startswith("b:"))
        assert step_rows[key].deadline == pytest.approx(1_700_000_000 + 2 * DAY)


async def test_alerts_to_the_team_are_not_paid_from_a_scenarios_budget():
    free = Policy(quiet=None, prices={"email": 2.0}, budgets={"*": 1.0})
    async with sender(policy=free) as one:
        await one.feed(team_alert(channel="email", address="anna@shop.example"))
        await one.settled()
        assert len(one.channel.spoken) == 1
        assert _accounts(one) == []


async def test_what_was_spent_and_what_one_sms_each_would_have_cost_are_counted():
    before = _counted()
    sms = Mouth()
    sms.name = "sms"
    async with sender(policy=DEAR, channels={"sms": sms}) as one:
        first = late(1)
        await one.feed(first)
        await one.settled()
        second = late(1, stage=1, cascade=[Stage("sms", "abandoned_cart")], addresses={"sms": "7@"})
        await one.feed(second, late(2, email="b@shop.example"))
        await one.settled()
    spent = {name: value - before[name] for name, value in _counted().items()}
    assert spent == {"email": 4.0, "sms": 3.0, "by sms": 6.0}


async def test_a_channel_that_is_down_spends_nothing():
    async with sender(Mouth(Down(600.0, "away")), policy=DEAR) as one:
        await one.feed(late())
        await one.until(lambda: one.channel.asked == 1)
        assert _accounts(one) == []


def _accounts(one):
    return [row for row in one.table.parts[0].rows.values() if isinstance(row, Spent)]


def _counted():
    spent = {name: metrics.SPENT.labels("abandoned_cart", name)._value.get() for name in ("email", "sms")}
    return spent | {"by sms": metrics.SPENT_BY_SMS._value.get()}


def test_the_sender_of_the_settings_holds_the_policy_of_their_file(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text('quiet: {from: "22:00", until: "08:00"}\nprices: {sms: 3.5}\nbudgets: {"*": 500}\n')
    delivery = make_delivery(Settings(data=tmp_path, policy=file, partitions=4), ManualClock())
    rules = delivery.rules
    assert (rules.policy.budget_of("abandoned_cart"), rules.policy.prices, rules.partitions) == (500.0, {"sms": 3.5}, 4)
    assert rules.policy.quiet == Quiet(22 * 60, 8 * 60)


def test_a_policy_that_cannot_be_used_is_said_before_anything_is_sent(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("control: 80\n")
    with pytest.raises(SettingsError, match=r"policy.yaml: control: between"):
        make_delivery(Settings(data=tmp_path, policy=file), ManualClock())


# -- the mail that asks for a confirmation


def asking(number=1, at=1_700_000_000.0, **changes):
    told = {"scenario": CONFIRMATION, "marketing": False, "cap": 30 * DAY, "confirm_until": at + DAY, "fired_at": at}
    return trigger(number, cascade=[Stage("email", CONFIRMATION)], expires_at=at + DAY, **(told | changes))


def confirm_url(message, trigger, channel, address):
    return f"https://c.example/c/{message}/{trigger.confirm_until:.0f}"


async def test_the_mail_that_asks_has_the_link_and_nothing_to_unsubscribe_from():
    async with sender(urls={"confirm": confirm_url}) as one:
        await one.feed(asking())
        await one.settled()
        (message,) = one.channel.spoken
        link = f"https://c.example/c/{1:032x}.0/1700086400"
        assert (link in message.text, link in message.html, message.link) == (True, True, link)
        assert (message.unsubscribe, "/u/" in message.html) == ("", False)


async def test_an_address_is_asked_once_in_the_window_whoever_has_left_it():
    async with sender() as one:
        await one.feed(asking(1), asking(2, fired_at=1_700_000_001.0))
        await one.settled()
        assert len(one.channel.spoken) == 1
        assert one.table.reasons() == [Reason.SENT, Reason.ASKED_BEFORE]
        await one.feed(asking(3, email="eve@shop.example"))
        await one.settled()
        assert len(one.channel.spoken) == 2
        month = 1_700_000_000.0 + 31 * DAY
        await one.advance(31 * DAY)
        await one.feed(asking(4, month))
        await one.settled()
        assert len(one.channel.spoken) == 3


async def test_a_question_that_may_have_been_lost_is_asked_again_with_the_same_id():
    async with sender(Mouth([Ambiguous("gone"), Sent("ok")])) as one:
        await one.feed(asking())
        await one.until(lambda: Reason.AMBIGUOUS in one.table.reasons())
        await one.advance(HOUR)
        await one.settled()
        assert [message.message_id for message in one.channel.spoken] == [f"{1:032x}.0"] * 2


async def test_a_question_counts_for_no_cap_and_no_budget():
    async with sender(policy=Policy(quiet=None, prices={"email": 2.0}, budgets={"*": 1.0})) as one:
        await one.feed(asking())
        await one.feed(trigger(2, scenario="free", cap=DAY))
        await one.settled()
        assert one.table.reasons() == [Reason.SENT, Reason.BUDGET]


async def test_what_scenarios_have_spent_today_is_shown_of_all_of_it():
    policy = Policy(quiet=None, prices={"email": 2.0}, budgets={"abandoned_cart": 40.0, "*": 20.0})
    async with sender(policy=policy, partitions=4) as one:
        await one.feed(late(1, email="a@shop.example"), late(2, email="b@shop.example", scenario="news"))
        await one.settled()

        async def shown(scenario):
            await one.delivery._tidy()
            return metrics.BUDGET_SPENT.labels(scenario)._value.get(), metrics.BUDGET_CEILING.labels(
                scenario
            )._value.get()

        assert await shown("abandoned_cart") == (2.0, 10.0)
        assert await shown("news") == (2.0, 5.0)
        one.clock.advance(DAY)
        assert await shown("abandoned_cart") == (0.0, 10.0)
