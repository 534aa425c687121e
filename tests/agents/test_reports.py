"""What receipts do to the ledger: in any order, any number of times, before and after the provider's own answer."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.delivery import steps
from agents.delivery.reports import _OURS, TOLD, UNKNOWN
from agents.delivery.settle import Rules, grant, settle
from app.codec import encode_json
from app.metrics import TOLD as TOLD_COUNT
from app.model.reasons import Reason
from app.model.receipt import ARRIVED, Outcome, Receipt
from app.model.trigger import Suppress, Suppressed
from channels.channel import Ambiguous, Rejected, Retry, Sent
from channels.ledger import Message, Move, State, address_key, message_key
from channels.pipeline import Verdict
from tables.memory import MemoryTable
from tests.agents.ledger_table import Bundle, Record, trigger
from tests.agents.speaking import Mouth, sender

NOW = 1_700_000_000.0
RULES = Rules(live=True, channels=frozenset({"email"}))
ID = f"{1:032x}.0"
KEY = message_key(ID)
FROM_OTHERS = [outcome for outcome in Outcome if outcome not in _OURS]
ANSWERS = {
    "accepted": Verdict(Move.ACCEPT, Reason.SENT),
    "lost": Verdict(Move.LOSE, Reason.AMBIGUOUS),
    "postponed": Verdict(Move.POSTPONE, Reason.RETRY, next_at=NOW + 10),
}


def receipt(outcome, at=NOW, **changes):
    values = {"message_id": ID, "reason": Reason.RECEIPT, **changes}
    return Receipt(outcome, "u1", "email", at, **values)


class Ledger:
    def __init__(self, **changes):
        self.outputs, self.notes, self.offset = [], [], 0
        self.table = MemoryTable(lambda number, output: self.outputs.append(output))
        self.trigger = trigger(**changes)

    @property
    def rows(self):
        return self.table.partition(0).rows

    @property
    def row(self):
        return self.rows[KEY]

    def feed(self, topic, item):
        self.offset += 1
        record = Record(b"", encode_json(item), self.offset, int(NOW * 1000))
        self.run(lambda step: steps.on_bundle(step, Bundle(topic, 0, [record]), NOW, RULES, 100))

    def run(self, work):
        found = []
        self.table.run(0, lambda step: found.append(work(step)))
        self.notes += found[0] if isinstance(found[0], list) else []
        return found[0]

    def speak(self):
        self.feed("outbox", self.trigger)
        assert self.run(lambda step: grant(step, KEY, self.trigger, 0, NOW, RULES)) is True

    def answer(self, name):
        self.run(lambda step: settle(step, KEY, self.trigger, ANSWERS[name], NOW, RULES))

    def outcome(self):
        standing = self.rows.get(address_key("email", "anna@shop.example"))
        return self.row.state, self.row.told, standing and (standing.suppressed, standing.everything)


def told(ledger):
    return Counter(note.reason for note in ledger.notes if note.kind == TOLD)


reports = st.lists(st.sampled_from(FROM_OTHERS), min_size=1, max_size=12)


@settings(max_examples=400, deadline=None)
@given(reports, st.sampled_from(sorted(ANSWERS)), st.data())
def test_the_order_and_the_repetition_of_receipts_do_not_matter(outcomes, answer, data):
    """The same receipts in another order, each once or more, around the provider's answer: the same ledger, each kind counted once."""

    def played(sequence, at):
        ledger = Ledger()
        ledger.speak()
        for number, outcome in enumerate(sequence):
            if number == at:
                ledger.answer(answer)
            ledger.feed("receipts", receipt(outcome))
        if at >= len(sequence):
            ledger.answer(answer)
        return ledger

    one = played(outcomes, data.draw(st.integers(0, len(outcomes))))
    shuffled = data.draw(st.permutations(outcomes + data.draw(st.lists(st.sampled_from(outcomes), max_size=6))))
    other = played(shuffled, data.draw(st.integers(0, len(shuffled))))
    assert one.outcome() == other.outcome()
    assert told(one) == told(other) == dict.fromkeys(set(outcomes), 1)
    arrived = bool(ARRIVED & set(outcomes))
    expected = State.SENT if arrived or answer == "accepted" else State.AMBIGUOUS if answer == "lost" else State.CLAIMED
    assert one.row.state is expected


@settings(max_examples=200, deadline=None)
@given(reports, st.sampled_from(sorted(ANSWERS)))
def test_a_message_has_one_end_and_one_receipt_of_ours_whatever_comes(outcomes, answer):
    ledger = Ledger()
    ledger.speak()
    for outcome in outcomes:
        ledger.feed("receipts", receipt(outcome))
    ledger.answer(answer)
    ends = [o for o in ledger.outputs if o.topic == "receipts"]
    assert len(ends) == (ledger.row.state is not State.CLAIMED)
    before = (bytes(str(ledger.rows), "utf8"), len(ledger.outputs))
    for outcome in outcomes:
        ledger.feed("receipts", receipt(outcome))
    assert (bytes(str(ledger.rows), "utf8"), len(ledger.outputs)) == before, "once more changes nothing"


def test_a_late_delivery_after_a_click_changes_nothing_but_what_is_known():
    ledger = Ledger()
    ledger.speak()
    ledger.answer("accepted")
    ledger.feed("receipts", receipt(Outcome.CLICKED))
    updated = ledger.row.updated_at, ledger.row.reason, ledger.row.deadline
    ledger.feed("receipts", receipt(Outcome.DELIVERED, NOW + 900))
    assert ledger.row.state is State.SENT
    assert (ledger.row.updated_at, ledger.row.reason, ledger.row.deadline) == updated


def test_a_message_lost_in_a_crash_that_a_receipt_has_proved_was_sent():
    ledger = Ledger()
    ledger.speak()
    ledger.feed("receipts", receipt(Outcome.DELIVERED))
    assert ledger.row.state is State.INFLIGHT
    ledger.run(lambda step: steps.lost_in_flight(step, [KEY], NOW, RULES))
    assert (ledger.row.state, ledger.row.reason) == (State.SENT, Reason.RECEIPT)


async def test_a_message_that_waits_for_another_attempt_is_not_said_again_when_a_receipt_proves_it():
    channel = Mouth([Retry(None, "busy"), Sent("twice")])
    async with sender(channel) as one:
        await one.feed(trigger())
        await one.until(lambda: one.table.states() == {ID: "claimed"} and channel.asked == 1)
        await one.feed(receipt(Outcome.OPENED), topic="receipts")
        await one.settled()
        await one.advance(3_600)
        assert one.table.states() == {ID: "sent"}
        assert (channel.asked, [r.outcome for r in one.table.receipts()]) == (1, ["sent"])


async def test_an_ambiguous_transactional_message_is_not_repeated_when_a_receipt_proves_it():
    channel = Mouth([Ambiguous("the line broke"), Sent("twice")])
    async with sender(channel) as one:
        await one.feed(trigger(marketing=False))
        await one.until(lambda: one.table.states() == {ID: "claimed"} and channel.asked == 1)
        await one.feed(receipt(Outcome.DELIVERED), topic="receipts")
        await one.settled()
        await one.advance(3_600)
        assert (one.table.states(), channel.asked) == ({ID: "sent"}, 1)


@pytest.mark.parametrize(
    ("outcome", "marketing", "expected"),
    [
        (Outcome.BOUNCED, True, Reason.SUPPRESSED),
        (Outcome.BOUNCED, False, Reason.SUPPRESSED),
        (Outcome.COMPLAINED, True, Reason.SUPPRESSED),
        (Outcome.COMPLAINED, False, None),
        (Outcome.UNSUBSCRIBED, True, Reason.UNSUBSCRIBED),
        (Outcome.UNSUBSCRIBED, False, None),
        (Outcome.FAILED, True, None),
    ],
)
async def test_a_receipt_that_does_not_name_the_address_is_about_the_one_that_the_message_went_to(
    outcome, marketing, expected
):
    async with sender() as one:
        await one.feed(trigger(1, cap=0.0))
        await one.settled()
        await one.feed(receipt(outcome), topic="receipts")
        await one.feed(trigger(2, cap=0.0, marketing=marketing))
        await one.settled()
        assert len(one.channel.spoken) == (1 if expected else 2)
        if expected:
            assert one.table.reasons()[-1] == expected


async def test_a_provider_that_fails_later_leaves_the_message_sent_and_the_address_usable():
    async with sender() as one:
        await one.feed(trigger(1))
        await one.settled()
        await one.feed(receipt(Outcome.FAILED), topic="receipts")
        assert one.table.states() == {ID: "sent"}
        assert told_of(one, Outcome.FAILED) == 1


def told_of(one, outcome):
    return bool(one.table.parts[0].rows[KEY].told) and outcome in Outcome


async def test_what_the_sender_itself_says_comes_back_and_is_not_counted():
    before = {outcome: TOLD_COUNT.labels("email", outcome)._value.get() for outcome in (*Outcome, UNKNOWN)}
    async with sender(Mouth(Rejected("550 5.1.1", suppress=True))) as one:
        await one.feed(trigger(1))
        await one.settled()
        (own,) = one.table.receipts()
        assert own.outcome is Outcome.BOUNCED
        await one.feed(own, topic="receipts")
    assert before == {outcome: TOLD_COUNT.labels("email", outcome)._value.get() for outcome in (*Outcome, UNKNOWN)}


async def test_a_receipt_of_a_message_that_the_ledger_does_not_know_is_counted_and_changes_nothing():
    before = TOLD_COUNT.labels("email", UNKNOWN)._value.get()
    async with sender() as one:
        await one.feed(receipt(Outcome.DELIVERED, message_id="f" * 32 + ".0"), topic="receipts")
        assert one.table.parts[0].rows == {}
        assert one.table.outputs == []
    assert TOLD_COUNT.labels("email", UNKNOWN)._value.get() == before + 1


def test_a_row_keeps_the_address_as_a_digest_only():
    ledger = Ledger()
    ledger.speak()
    ledger.answer("accepted")
    assert isinstance(ledger.row, Message)
    assert (len(ledger.row.to), ledger.row.payload) == (16, b"")


def listed(*entries, lifted=False):
    return Suppress([Suppressed(address_key("email", "anna@shop.example"), *entry) for entry in entries], lifted)


async def test_an_operator_puts_an_address_on_the_list_and_takes_it_off_again():
    async with sender() as one:
        await one.feed(listed((Reason.UNSUBSCRIBED, NOW)))
        await one.feed(trigger(1, cap=0.0))
        await one.settled()
        assert one.table.reasons() == [Reason.UNSUBSCRIBED]
        await one.feed(listed(("", NOW - 1), lifted=True))
        await one.feed(trigger(2, cap=0.0))
        await one.settled()
        assert one.channel.spoken == [], "what is older than the entry does not lift it"
        await one.feed(listed(("", NOW), lifted=True))
        await one.feed(trigger(3, cap=0.0))
        await one.settled()
        assert len(one.channel.spoken) == 1


async def test_what_is_known_of_the_caps_outlives_the_list():
    async with sender() as one:
        await one.feed(trigger(1))
        await one.settled()
        await one.feed(listed((Reason.SUPPRESSED, NOW, True)), listed(("", NOW), lifted=True))
        await one.feed(trigger(2))
        await one.settled()
        assert one.table.reasons()[-1] == Reason.CAP


@pytest.mark.parametrize("key", ["m:x.0", "c:" + "0" * 32, "a:email:short", "", "a:EMAIL:" + "0" * 32])
async def test_an_entry_that_names_no_address_is_a_dead_letter(key):
    async with sender() as one:
        await one.feed(trigger(1, cap=0.0))
        await one.settled()
        await one.feed(Suppress([Suppressed(key, Reason.SUPPRESSED, NOW)]))
        assert [topic for topic, *_ in one.table.outputs].count("dead-letters") == 1
        assert set(one.table.states()) == {ID}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Reason.SUPPRESSED, Reason.UNSUBSCRIBED]),
            st.sampled_from([NOW, NOW - 5, NOW + 5]),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_the_order_of_entries_does_not_matter(entries, data):
    def played(order):
        ledger = Ledger()
        for item in order:
            ledger.feed("outbox", listed(item))
        row = ledger.rows[address_key("email", "anna@shop.example")]
        return row.suppressed, row.suppressed_at, row.everything

    weaker = [(reason if not everything else Reason.SUPPRESSED, at, everything) for reason, at, everything in entries]
    assert played(weaker) == played(data.draw(st.permutations(weaker + weaker[:2])))
