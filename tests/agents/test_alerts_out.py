"""Alerts and their changes through ledger and pipeline: once an episode, held back in time, edited afterwards."""

import asyncio
import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import ManualClock
from app.model.alert import AlertState
from app.model.reasons import Reason
from app.model.receipt import Outcome
from app.model.trigger import Stage
from channels import ledger
from channels.channel import Ambiguous, Later, Rejected, Retry, Sent
from channels.egress import Reply
from channels.telegram import Telegram
from tests.agents.ledger_table import LedgerTable
from tests.agents.speaking import Mouth, Sender, sender
from tests.channels import alerts

ROW = "ab12.0"
NOW = alerts.NOW


class Team(Mouth):
    """A channel of the team: what it was asked to say, with the id of the message that it shall change."""

    name = "telegram"
    shows = frozenset(AlertState)

    def units(self, message):
        return 1

    def usable(self, address):
        return ""

    def told(self):
        return [(message.cards[0].state.value, message.cards[0].ref) for message in self.spoken]


def team(answer=None, **options):
    channel = Team(answer, **options)
    return channel, {"channels": {"telegram": channel}}


def ids():
    numbers = itertools.count(1)

    async def answer(message, irreversible):
        await irreversible()
        channel.spoken.append(message)
        return Sent(f"-100200300:{next(numbers)}")

    channel, options = team(answer)
    return channel, options


async def test_an_alert_is_said_once_and_its_changes_edit_that_message():
    channel, options = ids()
    async with sender(**options) as one:
        await one.feed(alerts.trigger(), alerts.trigger())
        await one.settled()
        await one.feed(alerts.update(AlertState.TAKEN, "taken", at=NOW + 1, by_name="Maria"))
        await one.settled()
        await one.feed(alerts.update(at=NOW + 2))
        await one.settled()
        await one.feed(
            alerts.trigger(),
            alerts.update(AlertState.TAKEN, "taken", at=NOW + 1, by_name="Maria"),
            alerts.update(at=NOW + 2),
        )
        assert one.delivery.pending == 0, "what comes again changes nothing"
        assert channel.told() == [("open", ""), ("taken", "-100200300:1"), ("resolved", "-100200300:1")]
        assert one.table.reasons() == [Reason.SENT, Reason.ALERT_CHANGED, Reason.ALERT_CHANGED]
        assert [receipt.outcome for receipt in one.table.receipts()] == [Outcome.SENT], (
            "a change is not another message"
        )


async def test_an_alert_that_ends_before_it_was_handed_over_is_not_sent():
    channel, options = team([Retry(60.0, "later")])
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.until(lambda: channel.asked == 1)
        await one.feed(alerts.update())
        await one.settled()
        await one.advance(3600)
        assert channel.spoken == [] and one.table.states() == {ROW: "skipped"}
        assert one.table.reasons()[-1] == Reason.ENDED_BY_ORDER


async def test_an_end_that_comes_before_its_alert_holds_it_back():
    channel, options = team()
    async with sender(**options) as one:
        await one.feed(alerts.update())
        await one.feed(alerts.trigger())
        assert one.delivery.pending == 0 and channel.spoken == [] and one.table.states() == {ROW: "skipped"}


async def test_a_waiting_alert_shows_the_newest_that_is_known():
    channel, options = team([Retry(60.0, "later"), Sent("1:2")])
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.until(lambda: channel.asked == 1)
        newer = alerts.alert(note="she is looking at the sofa again", priority=2)
        await one.feed(alerts.update(AlertState.OPEN, "client_returned", shown=newer))
        await one.advance(3600 - 60)
        await one.settled()
        (said,) = channel.spoken
        assert said.cards[0].note == "she is looking at the sofa again" and said.cards[0].head.startswith("🔥")


async def test_a_change_that_comes_while_the_alert_is_being_said_waits_for_its_end():
    channel, options = team()
    going, go = asyncio.Event(), asyncio.Event()

    async def slow(message, irreversible):
        await irreversible()
        if not channel.spoken:
            going.set()
            await go.wait()
        channel.spoken.append(message)
        return Sent("1:2")

    channel.answer = slow
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await asyncio.wait_for(going.wait(), 30)
        await one.feed(alerts.update())
        go.set()
        await one.until(lambda: one.table.states().get(ROW) == "sent")
        while one.delivery.pending:
            await one.advance(3)
            await asyncio.sleep(0.001)
        assert channel.told() == [("open", ""), ("resolved", "1:2")]


async def test_of_two_changes_that_wait_only_the_newer_one_is_shown():
    channel, options = team([Sent("1:2"), Retry(5.0, "429"), Retry(5.0, "429")])
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.settled()
        await one.feed(alerts.update(AlertState.TAKEN, "taken", at=NOW + 1))
        await one.until(lambda: channel.asked == 2)
        await one.feed(alerts.update(at=NOW + 2))
        while one.delivery.pending:
            await one.advance(30)
            await asyncio.sleep(0.001)
        assert channel.told() == [("open", ""), ("resolved", "1:2")] and Reason.SUPERSEDED in one.table.reasons()


async def test_the_order_of_the_outbox_decides_which_change_is_the_newest_and_not_when_what_it_tells_of_happened():
    channel, options = ids()
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.settled()
        await one.feed(alerts.update(AlertState.TAKEN, "taken", at=NOW + 60))
        await one.settled()
        await one.feed(
            alerts.update(AlertState.RESOLVED, "ended_by_answer", at=NOW - 5)
        )  # an answer that was on its way for long
        await one.settled()
        assert channel.told() == [("open", ""), ("taken", "-100200300:1"), ("resolved", "-100200300:1")]


async def test_a_channel_that_cannot_show_a_state_is_not_asked_to():
    channel, options = team()
    channel.shows = frozenset({AlertState.RESOLVED})
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.settled()
        await one.feed(alerts.update(AlertState.SNOOZED, "snoozed", at=NOW + 1), alerts.update(at=NOW + 2))
        await one.settled()
        assert [state for state, _ in channel.told()] == ["open", "resolved"]


async def test_an_alert_that_was_refused_is_not_changed_and_the_chat_is_not_suppressed():
    channel, options = team([Rejected("403 kicked", suppress=True)])
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.settled()
        await one.feed(alerts.update())
        assert one.delivery.pending == 0
        (receipt,) = one.table.receipts()
        assert (receipt.outcome, receipt.address) == (Outcome.FAILED, ""), "no customer's address is touched"
        await one.feed(alerts.trigger(trigger_id="cd34"))
        await one.settled()
        assert one.table.states() == {ROW: "failed", "cd34.0": "sent"}


async def test_after_a_crash_in_the_moment_an_alert_is_repeated_with_the_same_id_and_its_changes_follow():
    table = LedgerTable()
    channel, options = team()
    going = asyncio.Event()

    async def dies(message, irreversible):
        await irreversible()
        going.set()
        await asyncio.Event().wait()

    channel.answer = dies
    one = Sender(table=table, **options)
    await one.open()
    await one.feed(alerts.trigger())
    await asyncio.wait_for(going.wait(), 30)
    await one.crash()
    table.ours = True
    channel, options = ids()
    async with sender(table=table, clock=one.clock, **options) as two:
        await two.advance(60)
        while two.delivery.pending:
            await two.advance(30)
            await asyncio.sleep(0.001)
        await two.feed(alerts.update())
        await two.settled()
        assert [message.message_id for message in channel.spoken][0] == ROW
        assert channel.told() == [("open", ""), ("resolved", "-100200300:1")]
    assert [receipt.outcome for receipt in table.receipts()] == [Outcome.AMBIGUOUS, Outcome.SENT]


async def test_nobody_knowing_whether_it_arrived_repeats_it_but_not_for_ever():
    channel, options = team(Ambiguous("closed"))
    async with sender(**options) as one:
        await one.feed(alerts.trigger(expires_at=NOW + 1e6))
        while one.delivery.pending:
            await one.advance(1800)
            await asyncio.sleep(0.001)
        assert len(channel.spoken) == 8 and len({message.message_id for message in channel.spoken}) == 1


async def test_alerts_of_one_chat_do_not_wait_for_each_other_so_that_a_burst_can_become_a_digest():
    channel, options = team(workers=8)
    async with sender(table=LedgerTable(delay=0.001), **options) as one:
        together, go = [], asyncio.Event()

        async def gather(message, irreversible):
            together.append(message)
            await go.wait()
            await irreversible()
            return Sent("1:2")

        channel.answer = gather
        await one.feed(*(alerts.trigger(trigger_id=f"ab{number}") for number in range(8)))
        await one.until(lambda: len(together) == 8)
        go.set()
        await one.settled()


async def test_a_target_whose_first_channel_is_off_is_told_over_the_next():
    async with sender(Mouth()) as one:
        both = alerts.trigger()
        both.cascade = [Stage("telegram", "alert"), Stage("email", "alert")]
        both.addresses = {"telegram": "-1", "email": "sales@shop.example"}
        await one.feed(both)
        await one.settled()
        (mail,) = one.channel.spoken
        assert mail.address == "sales@shop.example" and mail.subject.endswith("Anna has been silent for 31 min")
        assert "Is it in stock?" in mail.text and "Sofa" in mail.html and not mail.unsubscribe


def test_a_change_has_one_key_and_its_message_is_found_by_it():
    one = ledger.change_key("m:ab12.0", "taken", 1.5, "e")
    assert one == ledger.change_key("m:ab12.0", "taken", 1.5, "e") != ledger.change_key("m:ab12.0", "taken", 1.5, "f")
    assert (
        ledger.shown_key(one) == "m:ab12.0"
        and ledger.shown_key("m:ab12.0") == ""
        and ledger.shown_key("a:email:x") == ""
    )


happenings = st.lists(
    st.one_of(
        st.just("trigger"),
        st.sampled_from([AlertState.TAKEN, AlertState.SNOOZED, AlertState.RESOLVED]),
        st.integers(1, 120),
        st.just("crash"),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(happenings, st.lists(st.sampled_from(["fine", "busy", "lost"]), max_size=12))
def test_whatever_happens_there_is_one_message_an_episode_and_the_last_that_it_shows_is_the_newest(history, answers):
    async def play():
        table, clock, said = LedgerTable(), None, []
        numbers, pending = itertools.count(1), list(answers)

        def make():
            async def answer(message, irreversible):
                what = pending.pop(0) if pending else "fine"
                if what == "busy":
                    return Retry(1.0, "429")
                await irreversible()
                said.append((message.message_id, message.cards[0].state, message.cards[0].ref))
                return Ambiguous("lost") if what == "lost" else Sent(f"1:{next(numbers)}")

            return team(answer)[1]

        one = Sender(table=table, clock=clock, **make())
        clock = one.clock
        await one.open()
        newest, at = None, NOW
        for what in [*history, "trigger"]:
            if what == "trigger":
                await one.feed(alerts.trigger(expires_at=NOW + 1e6))
            elif what == "crash":
                await one.crash()
                table.ours = True
                one = Sender(table=table, clock=clock, **make())
                await one.open()
            elif isinstance(what, int):
                await one.advance(what)
            else:
                at += (7, -3)[int(at) % 2]
                newest = what
                await one.feed(alerts.update(what, "taken", at=at))
        for _ in range(400):
            if not one.delivery.pending:
                break
            await one.advance(600)
            await asyncio.sleep(0.001)
        await one.delivery.stop()
        states = table.states()
        first = [entry for entry in said if entry[0] == ROW]
        assert states[ROW] in ("sent", "skipped", "ambiguous")
        unknown = len(answers) + history.count("crash")
        assert len(first) <= 1 + unknown, "repeated only where nobody knew"
        if states[ROW] == "sent" and newest is not None and len(said) > len(first):
            shown = [entry for entry in said if entry[0] != ROW]
            assert shown[-1][1] is newest and all(ref for _, _, ref in shown)
        assert all(state in ("sent", "skipped", "failed", "ambiguous") for state in states.values())

    asyncio.run(play())


def test_the_ledger_grows_by_little_for_an_alert():
    row = ledger.Message(
        ledger.State.SENT,
        "telegram",
        0,
        "anna",
        "abandoned_dialog",
        b"",
        NOW,
        NOW,
        shown=ledger.Shown("-100200300", "en", "-100200300:7", NOW),
    )
    assert len(msgspec.msgpack.encode(row)) < 200


class BotApi:
    """The Bot API's side: `answer` for each request; keeps the chats and texts that it was asked for."""

    def __init__(self, answer=b'{"ok":true,"result":{"message_id":1}}', status=200):
        self.answer, self.status, self.said = answer, status, []

    async def ask(self, url, body, headers, irreversible):
        await irreversible()
        self.said.append(msgspec.json.decode(body))
        return Reply(self.status, self.answer)

    async def close(self):
        pass

    def channel(self, clock, pace):
        return {
            "channels": {
                "telegram": Telegram(
                    token="1:abcdefghijklmnop",
                    api="https://api.telegram.org",
                    egress=self,
                    monotonic=clock.monotonic,
                    pace=pace,
                )
            }
        }


async def test_alerts_that_a_provider_puts_off_are_tried_until_they_expire():
    wait = b'{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":40}}'
    clock, api = ManualClock(NOW), BotApi(wait, 429)
    async with sender(clock=clock, **api.channel(clock, 0.0)) as one:
        for number in range(10):
            shown = alerts.alert(alert_id=f"tt{number:02}")
            await one.feed(alerts.trigger(trigger_id=f"tt{number:02}", shown=shown, expires_at=NOW + 7_200))
        while len(api.said) < 40 and one.delivery.pending:
            await one.advance(5)
            await asyncio.sleep(0.001)
        await one.until(lambda: set(one.table.states().values()) == {"claimed"})
        api.answer, api.status = b'{"ok":true,"result":{"message_id":1}}', 200
        while one.delivery.pending:
            await one.advance(5)
            await asyncio.sleep(0.001)
        assert set(one.table.states().values()) == {"sent"} and clock.now() < NOW + 7_200


async def test_our_own_pace_costs_no_attempt_and_writes_nothing():
    channel, options = team([Later(50.0), Later(50.0), Sent("1:2")])
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.until(lambda: channel.asked == 1)
        while channel.asked < 3:
            assert one.table.parts[0].rows["m:" + ROW].attempt == 0 and one.table.reasons() == []
            await one.advance(51)
            await asyncio.sleep(0.001)
        await one.settled()
        assert one.table.states() == {ROW: "sent"} and one.table.reasons() == [Reason.SENT]


async def test_what_a_provider_put_off_is_still_given_up_after_the_most_failures_of_its_own():
    answers = [Retry(1.0, "429")] * 12 + [Retry(None, "500")] * 20
    channel, options = team(answers)
    async with sender(**options) as one:
        await one.feed(alerts.trigger(expires_at=NOW + 1e6))
        while one.delivery.pending:
            await one.advance(1800)
            await asyncio.sleep(0.001)
        assert channel.asked == 12 + 8 and one.table.reasons()[-1] == Reason.RETRIES_EXHAUSTED


async def test_a_busy_group_does_not_keep_another_chat_from_being_told():
    clock, api = ManualClock(NOW), BotApi()
    going, go = asyncio.Event(), asyncio.Event()
    answer = api.ask

    async def slow(url, body, headers, irreversible):
        if b"-100200300" in body:
            going.set()
            await go.wait()
        return await answer(url, body, headers, irreversible)

    api.ask = slow
    async with sender(clock=clock, **api.channel(clock, 0.0)) as one:
        for number in range(60):
            await one.feed(alerts.trigger(trigger_id=f"tt{number:02}", shown=alerts.alert(alert_id=f"tt{number:02}")))
        await asyncio.wait_for(going.wait(), 30)
        await one.feed(alerts.trigger(trigger_id="other", address="777", shown=alerts.alert(alert_id="other123")))
        await one.until(lambda: [said["chat_id"] for said in api.said] == ["777"])
        go.set()
        while one.delivery.pending:
            await one.advance(5)
            await asyncio.sleep(0.001)
        assert set(one.table.states().values()) == {"sent"}


async def test_that_somebody_has_taken_an_alert_before_it_was_handed_over_is_told_right_after_it():
    channel, options = team([Retry(60.0, "later"), Sent("1:2")])
    async with sender(**options) as one:
        await one.feed(alerts.trigger())
        await one.until(lambda: channel.asked == 1)
        await one.feed(alerts.update(AlertState.TAKEN, "taken", by_name="Maria"))
        while one.delivery.pending:
            await one.advance(3)
            await asyncio.sleep(0.001)
        assert channel.told() == [("open", ""), ("taken", "1:2")]
        assert channel.spoken[1].cards[0].status == "Taken: Maria"
