import asyncio

import msgspec
import pytest

from app import metrics
from app.clock import ManualClock
from app.codec import decode_dead_letter
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Cancel, Stage
from channels import ledger
from channels.channel import Ambiguous, Down, Misconfigured, Rejected, Retry, Sent
from channels.ledger import State
from tests.agents.ledger_table import LedgerTable, trigger
from tests.agents.speaking import Mouth, Sender, sender


def cancel(number=1, reason=Reason.GOAL_REACHED):
    return Cancel(f"{number:032x}", f"u{number}", reason, 1_700_000_000.0)


def receipt(outcome, address="anna@shop.example", **changes):
    return Receipt(outcome, "u1", "email", 1_700_000_000.0, address=address, **changes)


async def test_a_trigger_becomes_one_message_a_receipt_and_a_journal_line():
    async with sender() as one:
        await one.feed(trigger())
        await one.settled()
        assert [m.message_id for m in one.channel.spoken] == [f"{1:032x}.0"]
        assert one.channel.spoken[0].unsubscribe == f"https://c.example/u/{1:032x}.0"
        assert one.table.states() == {f"{1:032x}.0": "sent"}
        (sent,) = one.table.receipts()
        assert (sent.outcome, sent.customer, sent.trigger_id, sent.message_id) == (
            Outcome.SENT,
            "u1",
            f"{1:032x}",
            f"{1:032x}.0",
        )
        assert one.table.reasons() == [Reason.SENT]


async def test_the_same_trigger_again_is_dropped():
    async with sender() as one:
        await one.feed(trigger(), trigger())
        await one.settled()
        await one.feed(trigger())
        assert len(one.channel.spoken) == 1 and one.delivery.pending == 0


async def test_a_settled_row_keeps_no_payload_and_no_address():
    async with sender() as one:
        await one.feed(trigger())
        await one.settled()
        row = one.table.parts[0].rows[f"m:{1:032x}.0"]
        assert row.payload == b"" and row.deadline == one.clock.now() + ledger.KEEP_SETTLED
        assert not any("anna" in key for key in one.table.parts[0].rows)


async def test_a_cancellation_before_the_trigger_holds_it():
    async with sender() as one:
        await one.feed(cancel())
        await one.feed(trigger())
        await one.settled()
        assert not one.channel.asked and one.table.reasons() == [Reason.GOAL_REACHED]
        assert one.table.receipts()[0].outcome is Outcome.SKIPPED


async def test_a_cancellation_reaches_a_message_that_waits_for_its_retry():
    async with sender(Mouth([Retry(None, "451 later")])) as one:
        await one.feed(trigger())
        await one.until(lambda: Reason.RETRY in one.table.reasons())
        await one.feed(cancel(reason=Reason.CONSENT_WITHDRAWN))
        await one.advance(3600)
        assert one.delivery.pending == 0
        assert one.table.reasons() == [Reason.RETRY, Reason.CONSENT_WITHDRAWN] and not one.channel.spoken


async def test_a_cancellation_between_the_gates_and_the_last_moment_still_counts():
    reached, go = asyncio.Event(), asyncio.Event()
    channel = Mouth()

    async def slow(message, irreversible):
        reached.set()
        await go.wait()
        await irreversible()
        channel.spoken.append(message)
        return Sent()

    channel.answer = slow
    async with sender(channel) as one:
        await one.feed(trigger())
        await asyncio.wait_for(reached.wait(), 30)
        await one.feed(cancel())
        go.set()
        await one.until(lambda: not one.delivery._speaking)
        assert not channel.spoken and one.table.states() == {f"{1:032x}.0": "skipped"}


async def test_a_cancellation_during_a_failed_attempt_stops_the_next_one():
    reached, go = asyncio.Event(), asyncio.Event()

    async def refused_at_the_dot(message, irreversible):
        await irreversible()
        reached.set()
        await go.wait()
        return Retry(None, "452 disk full")

    async with sender(Mouth([refused_at_the_dot])) as one:
        await one.feed(trigger())
        await asyncio.wait_for(reached.wait(), 30)
        await one.feed(cancel())
        go.set()
        await one.until(lambda: Reason.RETRY in one.table.reasons())
        await one.advance(3600)
        await one.settled()
        assert one.table.reasons() == [Reason.RETRY, Reason.GOAL_REACHED] and not one.channel.spoken


async def test_a_cancellation_after_the_mail_changes_nothing_and_says_so():
    async with sender() as one:
        await one.feed(trigger())
        await one.settled()
        await one.feed(cancel())
        assert one.table.states() == {f"{1:032x}.0": "sent"}
        assert one.table.reasons() == [Reason.SENT, Reason.TOO_LATE_TO_CANCEL]


@pytest.mark.parametrize(
    ("outcome", "marketing", "reason"),
    [
        (Outcome.UNSUBSCRIBED, True, Reason.UNSUBSCRIBED),
        (Outcome.COMPLAINED, True, Reason.SUPPRESSED),
        (Outcome.BOUNCED, True, Reason.SUPPRESSED),
        (Outcome.BOUNCED, False, Reason.SUPPRESSED),
        (Outcome.UNSUBSCRIBED, False, None),
        (Outcome.COMPLAINED, False, None),
    ],
)
async def test_receipts_suppress_an_address(outcome, marketing, reason):
    async with sender() as one:
        await one.feed(receipt(outcome, "Anna@Shop.Example"), topic="receipts")
        await one.feed(trigger(marketing=marketing))
        await one.settled()
        assert one.table.reasons() == [reason or Reason.SENT]


async def test_a_consent_given_after_an_unsubscribe_lifts_it():
    async with sender() as one:
        await one.feed(receipt(Outcome.UNSUBSCRIBED), topic="receipts")
        await one.feed(
            trigger(1, consent_at={"email": 1_699_999_999.0}), trigger(2, consent_at={"email": 1_700_000_001.0})
        )
        await one.settled()
        assert sorted(one.table.reasons()) == [Reason.SENT, Reason.UNSUBSCRIBED]


async def test_one_marketing_message_per_cap_and_address_even_when_two_come_at_once():
    async with sender(table=LedgerTable(delay=0.002)) as one:
        await one.feed(*(trigger(number) for number in range(1, 9)))
        await one.settled()
        assert len(one.channel.spoken) == 1
        assert sorted(one.table.reasons()) == sorted([Reason.SENT] + [Reason.CAP] * 7)


async def test_the_cap_looks_at_when_triggers_fired_not_at_when_they_are_sent():
    async with sender() as one:
        start = one.clock.now()
        await one.feed(trigger(1), trigger(2, fired_at=start + 16 * 3600, expires_at=start + 40 * 3600))
        await one.settled()
        assert one.table.reasons() == [Reason.SENT, Reason.SENT]


async def test_transactional_messages_know_no_cap():
    async with sender() as one:
        await one.feed(trigger(1), trigger(2, marketing=False))
        await one.settled()
        assert len(one.channel.spoken) == 2 and one.channel.spoken[1].unsubscribe == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires_at": 1_600_000_000.0}, Reason.EXPIRED),
        ({"email": ""}, Reason.NO_ADDRESS),
        ({"email": "nobody"}, Reason.BAD_ADDRESS),
        ({"cascade": [Stage("pigeon", "x")]}, Reason.CHANNEL_DISABLED),
    ],
)
async def test_what_cannot_be_sent_is_skipped_with_its_reason(changes, reason):
    async with sender() as one:
        await one.feed(trigger(**changes))
        await one.settled()
        assert one.table.reasons() == [reason] and one.table.receipts()[0].outcome is Outcome.SKIPPED
        await one.feed(trigger(**changes))
        assert one.table.reasons() == [reason]


async def test_a_template_that_fails_parks_its_own_message_only():
    async with sender() as one:
        await one.feed(trigger(1, cascade=[Stage("email", "no_such_template")]), trigger(2, email="b@shop.example"))
        await one.settled()
        assert sorted(one.table.states().values()) == ["failed", "sent"]
        assert Reason.RENDER_FAILED in one.table.reasons()


async def test_a_bad_record_among_good_ones_is_a_dead_letter():
    async with sender() as one:
        await one.feed(b"{", trigger(), b'{"kind":"x"}', b"\xff\xfe")
        await one.settled()
        letters = [decode_dead_letter(value) for topic, _, value in one.table.outputs if topic == "dead-letters"]
        assert [(letter.topic, letter.offset) for letter in letters] == [("outbox", 0), ("outbox", 2), ("outbox", 3)]
        assert len(one.channel.spoken) == 1


async def test_a_record_nested_without_end_does_not_stop_the_sender():
    deep = b"[" * 20_000 + b"]" * 20_000
    async with sender() as one:
        await one.feed(b'{"kind":"trigger","extra":' + deep + b"}", trigger())
        await one.settled()
        letters = [decode_dead_letter(value) for topic, _, value in one.table.outputs if topic == "dead-letters"]
        assert [(letter.reason, letter.offset) for letter in letters] == [("bad_record", 0)]
        assert len(one.channel.spoken) == 1


async def test_a_record_that_the_sender_cannot_handle_is_a_dead_letter_and_others_go_on(monkeypatch, caplog):
    from agents.delivery import steps

    claim = steps._claim

    def fails_once(*arguments):
        monkeypatch.setattr(steps, "_claim", claim)
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(steps, "_claim", fails_once)
    async with sender() as one:
        await one.feed(trigger(1), trigger(2, email="b@shop.example"))
        await one.settled()
        letters = [decode_dead_letter(value) for topic, _, value in one.table.outputs if topic == "dead-letters"]
        assert [(letter.reason, letter.offset) for letter in letters] == [("handler_failed", 0)]
        assert len(one.channel.spoken) == 1
    assert "could not be handled" in caplog.text


async def test_a_transient_refusal_is_tried_again_later_with_the_same_id():
    async with sender(Mouth([Retry(None, "451 later"), Retry(60.0, "451 in a minute")])) as one:
        await one.feed(trigger())
        await one.until(lambda: one.table.reasons() == [Reason.RETRY])
        row = one.table.parts[0].rows[f"m:{1:032x}.0"]
        assert row.state is State.CLAIMED and one.clock.now() <= row.next_at <= one.clock.now() + 10
        await one.advance(10)
        await one.until(lambda: one.table.reasons() == [Reason.RETRY] * 2)
        assert row.next_at >= one.clock.now() + 60
        await one.advance(59)
        assert one.channel.asked == 2
        await one.advance(30)
        await one.settled()
        assert one.channel.spoken[0].message_id == f"{1:032x}.0" and one.table.states() == {f"{1:032x}.0": "sent"}


async def test_a_message_is_given_up_after_its_attempts():
    async with sender(Mouth(Retry(None, "451 later"))) as one:
        await one.feed(trigger())
        for _ in range(20):
            await one.advance(1800)
            await asyncio.sleep(0.005)
        await one.settled()
        assert one.channel.asked == 8
        assert one.table.reasons() == [Reason.RETRY] * 7 + [Reason.RETRIES_EXHAUSTED]


async def test_a_dead_address_is_suppressed_and_reported_without_being_shown():
    async with sender(Mouth([Rejected("550 5.1.1 <anna@shop.example>: unknown", True)])) as one:
        await one.feed(trigger(1))
        await one.settled()
        (bounced,) = one.table.receipts()
        assert (bounced.outcome, bounced.address) == (Outcome.BOUNCED, "anna@shop.example")
        assert "anna" not in bounced.detail and "anna" not in str(one.table.journal()[0].detail)
        await one.feed(trigger(2))
        await one.settled()
        assert one.table.reasons() == [Reason.REJECTED, Reason.SUPPRESSED]


async def test_an_unanswered_marketing_message_is_ambiguous_and_never_repeated():
    async with sender(Mouth([Ambiguous("timed out")])) as one:
        await one.feed(trigger())
        await one.settled()
        await one.advance(7200)
        assert one.channel.asked == 1 and one.table.reasons() == [Reason.AMBIGUOUS]
        assert one.table.receipts()[0].outcome is Outcome.AMBIGUOUS
        await one.feed(trigger(2))
        await one.settled()
        assert one.table.reasons()[-1] == Reason.CAP  # it may have arrived


async def test_an_unanswered_transactional_message_is_repeated_with_the_same_id():
    async with sender(Mouth([Ambiguous("timed out")])) as one:
        await one.feed(trigger(marketing=False))
        await one.until(lambda: one.table.reasons() == [Reason.AMBIGUOUS])
        await one.advance(60)
        await one.settled()
        assert [m.message_id for m in one.channel.spoken] == [f"{1:032x}.0"] * 2
        assert [r.outcome for r in one.table.receipts()] == [Outcome.AMBIGUOUS, Outcome.SENT]


async def test_a_receipt_settles_an_ambiguous_message():
    async with sender(Mouth([Ambiguous("timed out")])) as one:
        await one.feed(trigger())
        await one.settled()
        await one.feed(receipt(Outcome.DELIVERED, message_id=f"{1:032x}.0"), topic="receipts")
        assert one.table.states() == {f"{1:032x}.0": "sent"}


@pytest.mark.parametrize("answer", [Down(None, "connection refused"), Misconfigured("certificate")])
async def test_a_provider_that_is_away_costs_no_attempt_and_no_write(answer):
    async with sender(Mouth([answer] * 3, workers=1)) as one:
        await one.feed(trigger())
        for _ in range(5):
            await one.advance(31)
            await asyncio.sleep(0.01)
        await one.settled()
        assert one.channel.asked == 4 and one.table.reasons() == [Reason.SENT]
        assert one.table.journal()[0].detail["attempt"] == 1


async def test_messages_expire_while_their_channel_is_away():
    async with sender(Mouth(Down(None, "connection refused"))) as one:
        await one.feed(trigger(1), trigger(2, email="b@shop.example"))
        await one.until(lambda: one.channel.asked > 0)
        await one.advance(7 * 3600)
        await one.delivery._tidy()
        assert one.delivery.pending == 0 and one.table.reasons() == [Reason.EXPIRED] * 2


async def test_a_hanging_channel_does_not_stop_the_others():
    never = asyncio.Event()

    async def hang(message, irreversible):
        await never.wait()

    other = Mouth()
    other.name = "sms"
    async with sender(Mouth(hang), channels={"sms": other}) as one:
        hanging = [trigger(n, email=f"u{n}@shop.example") for n in range(1, 50)]
        fine = [
            trigger(n, email="", addresses={"sms": f"{n}@"}, cascade=[Stage("sms", "abandoned_cart")])
            for n in range(50, 100)
        ]
        await one.feed(*hanging, *fine)
        await one.until(lambda: one.delivery.pending == 49)  # the ends of the others are written
        assert len(other.spoken) == 50
        never.set()


async def test_a_flood_is_refused_with_a_reason_beyond_the_limit():
    async with sender(Mouth(Down(None, "away")), most_waiting=10) as one:
        await one.feed(*(trigger(n, email=f"u{n}@shop.example") for n in range(1, 16)), trigger(99, marketing=False))
        assert one.delivery.pending == 11  # a transactional message is never refused
        assert one.table.reasons() == [Reason.OVERLOADED] * 5


async def test_no_more_messages_are_granted_and_unanswered_than_the_channel_has_workers():
    async with sender(Mouth(workers=3), table=LedgerTable(delay=0.001)) as one:
        most = 0
        await one.feed(*(trigger(n, email=f"u{n}@shop.example") for n in range(1, 60)))
        while one.delivery.pending:
            states = list(one.table.states().values())
            most = max(most, states.count("inflight") - (len(one.channel.spoken) - states.count("sent")))
            await asyncio.sleep(0)
        assert len(one.channel.spoken) == 59 and 1 < most <= 3 and one.channel.most_speaking <= 3


async def test_transitions_that_wait_are_written_together():
    async with sender(Mouth(workers=16), table=LedgerTable(delay=0.003)) as one:
        await one.feed(*(trigger(n, email=f"u{n}@shop.example") for n in range(1, 161)))
        await one.settled()
        assert len(one.channel.spoken) == 160 and one.table.commits < 80


async def test_a_crash_in_flight_leaves_an_ambiguous_message_and_the_claimed_ones_are_sent():
    channel, never = Mouth(workers=1), asyncio.Event()

    async def hang_after_the_dot(message, irreversible):
        await irreversible()
        channel.spoken.append(message)
        await never.wait()

    channel.answer = hang_after_the_dot
    first = Sender(channel)
    await first.open()
    await first.feed(trigger(1), trigger(2, email="b@shop.example"))
    await first.until(lambda: channel.spoken)
    await first.crash()
    table = first.table
    table.ours = True
    async with sender(table=table, clock=first.clock) as second:
        await second.settled()
        assert [m.message_id for m in second.channel.spoken] == [f"{2:032x}.0"]
        assert table.states() == {f"{1:032x}.0": "ambiguous", f"{2:032x}.0": "sent"}
        assert table.reasons() == [Reason.AMBIGUOUS, Reason.SENT]


async def test_a_retry_that_waits_survives_a_restart():
    first = Sender(Mouth(Retry(None, "451")))
    await first.open()
    await first.feed(trigger())
    await first.until(lambda: first.table.reasons() == [Reason.RETRY])
    await first.crash()
    first.table.ours = True
    async with sender(table=first.table, clock=first.clock) as second:
        await asyncio.sleep(0.01)
        assert second.channel.asked == 0
        await second.advance(60)
        await second.settled()
        assert len(second.channel.spoken) == 1


async def test_nothing_is_said_before_the_backlog_is_read():
    one = Sender()
    one.table.log["outbox"] = [b""] * 3  # the end of the topic is at 3, and nothing has been applied
    await one.delivery.start(one.table)
    one.delivery.on_opened(0)
    part = one.table.parts[0]
    await one.table.run(0, lambda step: one.delivery.on_bundle(step, bundle(trigger(), offset=0), one.clock.now()))
    part.applied["outbox"] = 0
    await asyncio.sleep(0.1)
    assert one.channel.asked == 0
    await one.table.run(0, lambda step: one.delivery.on_bundle(step, bundle(cancel(), offset=2), one.clock.now()))
    part.applied["outbox"] = 2
    await one.settled()
    assert one.channel.asked == 0 and one.table.reasons() == [Reason.GOAL_REACHED]
    await one.delivery.stop()


def bundle(item, offset, at=1_700_000_000.0):
    from app.codec import encode_json
    from tests.agents.ledger_table import Bundle, Record

    return Bundle("outbox", 0, [Record(b"c", encode_json(item), offset, int(at * 1000))])


async def test_old_records_mean_that_a_cancellation_may_follow():
    async with sender() as one:
        one.table.log["outbox"] = [b""]
        await one.table.run(
            0, lambda step: one.delivery.on_bundle(step, bundle(trigger(), 0, at=1_699_999_000.0), one.clock.now())
        )
        one.table.log["outbox"].append(b"")
        await asyncio.sleep(0.1)
        assert one.channel.asked == 0
        one.table.parts[0].applied["outbox"] = 1
        await one.settled()
        assert len(one.channel.spoken) == 1


async def test_a_partition_that_is_lost_is_silent():
    async with sender(table=LedgerTable(delay=0.005)) as one:
        one.table.ours = False
        await one.feed(*(trigger(n, email=f"u{n}@shop.example") for n in range(1, 9)))
        await asyncio.sleep(0.05)
        assert not one.channel.spoken
        one.delivery.on_closed(0)
        assert one.delivery.pending == 0


async def test_a_rebalance_that_brings_the_partition_back_repeats_nothing():
    channel, go = Mouth(workers=2), asyncio.Event()

    async def slow(message, irreversible):
        await irreversible()
        channel.spoken.append(message)
        await go.wait()
        return Sent()

    channel.answer = slow
    async with sender(channel) as one:
        await one.feed(trigger(1), trigger(2, email="b@shop.example"))
        await one.until(lambda: len(channel.spoken) == 2)
        one.delivery.on_closed(0)
        one.delivery.on_opened(0)
        go.set()
        await one.settled()
        assert len(channel.spoken) == 2 and set(one.table.states().values()) == {"sent"}
        assert one.table.reasons() == [Reason.SENT] * 2


async def test_a_channel_with_a_bug_does_not_stop_the_lane():
    async def bug(message, irreversible):
        raise RuntimeError("a bug")

    async def bug_after(message, irreversible):
        await irreversible()
        raise RuntimeError("a bug")

    async with sender(Mouth([bug, bug_after], workers=1)) as one:
        await one.feed(*(trigger(n, email=f"u{n}@shop.example") for n in (1, 2, 3)))
        await one.until(lambda: one.delivery.pending == 1)  # the first waits for the next start
        assert len(one.channel.spoken) == 1
        assert list(one.table.states().values()) == ["claimed", "ambiguous", "sent"]


async def test_stopping_finishes_what_is_being_said_and_begins_nothing_new():
    channel, go = Mouth(workers=1), asyncio.Event()

    async def slow(message, irreversible):
        await irreversible()
        channel.spoken.append(message)
        await go.wait()
        return Sent()

    channel.answer = slow
    one = Sender(channel)
    await one.open()
    await one.feed(trigger(1), trigger(2, email="b@shop.example"))
    await one.until(lambda: channel.spoken)
    stopping = asyncio.create_task(one.delivery.stop())
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait_for(stopping, 8)
    assert list(one.table.states().values()) == ["sent", "claimed"]


async def test_stopping_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr("agents.delivery.service.LONGEST_STOP", 0.05)

    async def hang(message, irreversible):
        await asyncio.Event().wait()

    one = Sender(Mouth(hang))
    await one.open()
    await one.feed(trigger())
    await one.until(lambda: one.channel.asked)
    await asyncio.wait_for(one.delivery.stop(), 8)
    assert list(one.table.states().values()) == ["claimed"]


class Guarded:
    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    async def first(self, message_id, attempt):
        self.asked.append((message_id, attempt))
        return self.answers.pop(0) if self.answers else True

    async def stop(self):
        pass


@pytest.mark.parametrize("marketing", [True, False])
async def test_what_the_guard_knows_as_spoken_is_not_spoken_again(marketing):
    guard = Guarded([False])
    async with sender(guard=guard) as one:
        await one.feed(trigger(marketing=marketing))
        await one.settled()
        assert not one.channel.spoken and one.table.reasons() == [Reason.DUPLICATE]
        assert one.table.states() == {f"{1:032x}.0": "ambiguous"}


async def test_the_guard_is_told_the_attempt():
    guard = Guarded([])
    async with sender(Mouth([Retry(None, "451")]), guard=guard) as one:
        await one.feed(trigger())
        await one.until(lambda: one.table.reasons())
        await one.advance(60)
        await one.settled()
        assert guard.asked == [(f"{1:032x}.0", 1)]


async def test_in_stream_time_nothing_expires_and_everything_is_said_when_it_was_decided():
    then = 1_569_900_000.0
    async with sender(live=False, clock=ManualClock(1_800_000_000.0)) as one:
        await one.feed(trigger(1, now=then), trigger(2, now=then + 3600), timestamp=then)
        await one.settled()
        assert one.table.reasons() == [Reason.SENT, Reason.CAP]
        assert [r.at for r in one.table.receipts()] == [then, then + 3600]
        await one.feed(trigger(3, now=then + 40 * 86_400), timestamp=then)
        await one.settled()
        assert set(one.table.states()) == {f"{3:032x}.0"}  # the old rows were forgotten


async def test_rows_are_forgotten_when_their_time_has_come():
    async with sender() as one:
        await one.feed(trigger(1), cancel(7))
        await one.settled()
        table, now = one.table, one.clock.now()

        def fire(at):
            def work(step):
                for due, key in list(step.due(at)):
                    one.delivery.on_timer(step, due, key, at)

            return table.run(0, work)

        await fire(now + ledger.KEEP_CANCELLED)
        assert not [key for key in table.parts[0].rows if key.startswith("c:")]
        assert len(table.parts[0].rows) == 2
        await fire(now + ledger.KEEP_SETTLED)
        assert [key[0] for key in table.parts[0].rows] == ["a"]
        await fire(now + ledger.KEEP_ADDRESS)
        assert not table.parts[0].rows


# -- stages of a cascade


async def test_each_stage_has_one_message_whatever_comes_twice():
    async with sender() as one:
        first = trigger(1, cap=0.0)
        await one.feed(first, first)
        await one.settled()
        second = msgspec.structs.replace(first, stage=1, fired_at=first.fired_at + 60)
        await one.feed(second, second, first)
        await one.settled()
        assert [message.message_id for message in one.channel.spoken] == [f"{1:032x}.0", f"{1:032x}.1"]
        assert one.table.states() == {f"{1:032x}.0": "sent", f"{1:032x}.1": "sent"}


async def test_a_stage_is_spoken_over_the_first_of_its_channels_that_is_on():
    async with sender() as one:
        ways = [Stage("pigeon", "x"), Stage("email", "abandoned_cart")]
        await one.feed(trigger(1, cascade=ways, stage=2, addresses={"pigeon": "coop 1", "email": "anna@shop.example"}))
        await one.settled()
        assert [message.message_id for message in one.channel.spoken] == [f"{1:032x}.2"]
        assert [receipt.channel for receipt in one.table.receipts()] == ["email"]


async def test_a_cancellation_meets_the_stage_that_waits_and_says_nothing_of_those_before_it():
    async with sender() as one:
        first = trigger(1, cap=0.0)
        await one.feed(first)
        await one.settled()
        one.channel.answer = Down(600.0, "away")
        second = msgspec.structs.replace(first, stage=1)
        await one.feed(second)
        await one.until(lambda: one.channel.asked == 2)
        await one.feed(Cancel(first.trigger_id, first.customer, Reason.GOAL_REACHED, one.clock.now()))
        await one.settled()
        assert one.table.states() == {f"{1:032x}.0": "sent", f"{1:032x}.1": "skipped"}
        assert Reason.TOO_LATE_TO_CANCEL not in one.table.reasons()


async def test_a_cancellation_is_kept_for_a_stage_that_is_being_said():
    async with sender() as one:
        first = trigger(1, cap=0.0)
        await one.feed(first)
        await one.settled()
        said = asyncio.Event()

        async def busy(message, irreversible):
            await irreversible()
            said.set()
            await asyncio.sleep(0.01)
            return Retry(None, "not now")

        one.channel.answer = busy
        await one.feed(msgspec.structs.replace(first, stage=1))
        await said.wait()
        await one.feed(Cancel(first.trigger_id, first.customer, Reason.GOAL_REACHED, one.clock.now()))
        await one.until(lambda: one.table.states()[f"{1:032x}.1"] == "claimed")
        one.channel.answer = Sent("ok")
        await one.advance(3600)
        await one.settled()
        assert one.table.states()[f"{1:032x}.1"] == "skipped"
        assert len(one.channel.spoken) == 1


async def test_a_template_that_fails_is_counted_by_its_channel_from_a_zero_on():
    failures = metrics.RENDER_FAILURES.labels("email")
    before = failures._value.get()
    async with sender() as one:
        assert 'boomerang_render_failures_total{channel="email"}' in metrics.render().decode()
        await one.feed(trigger(cascade=[Stage("email", "no_such_template")]))
        await one.settled()
    assert failures._value.get() == before + 1
