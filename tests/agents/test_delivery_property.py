"""Any interleaving of triggers, cancellations, receipts, answers, crashes and rebalances: at most once, and never after a cancellation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.delivery import steps
from agents.delivery.settle import Rules, facts, grant, settle, trigger_of
from app.codec import encode_json
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Cancel
from channels.ledger import TRANSITIONS, IllegalMove, Message, Move, State, message_key
from channels.pipeline import Verdict
from channels.policy import refusal
from tables.memory import MemoryTable
from tests.agents.ledger_table import Bundle, Record, trigger

RULES = Rules(live=True, channels=frozenset({"email"}))
NOW = 1_700_000_000.0
TRIGGERS = [trigger(n, email=f"c{n % 2}@shop.example", marketing=n != 3, cap=3600.0 * (n != 2)) for n in range(4)]


def moves(numbers):
    number = st.sampled_from(numbers)
    return st.one_of(
        st.tuples(st.just("trigger"), number),
        st.tuples(st.just("cancel"), number),
        st.tuples(st.just("receipt"), number, st.sampled_from(list(Outcome))),
        st.tuples(st.just("grant"), number),
        st.tuples(st.just("say"), number),
        st.tuples(st.just("answer"), number, st.sampled_from(["accept", "postpone", "fail", "lose"])),
        st.tuples(st.just("crash")),
        st.tuples(st.just("time"), st.sampled_from([1.0, 60.0, 4000.0])),
    )


def script(numbers, fed):
    first = [("trigger", number) for number in numbers] if fed else []
    return st.lists(moves(numbers), min_size=4, max_size=50).map(lambda rest: first + rest)


scripts = st.tuples(st.sampled_from([[0], [1], [3], [0, 2], [0, 1, 2, 3]]), st.booleans()).flatmap(
    lambda both: script(*both)
)


class World:
    """The ledger, and a relay that remembers what it took. A worker holds what it was granted until an answer or a crash."""

    def __init__(self):
        self.table = MemoryTable(lambda number, output: self.outputs.append(output))
        self.outputs = []
        self.now = NOW
        self.granted = {}
        self.taken = []
        self.cancelled = set()
        self.offset = 0

    def feed(self, topic, item):
        self.offset += 1
        record = Record(b"", encode_json(item), self.offset, int(self.now * 1000))
        self.table.run(0, lambda step: steps.on_bundle(step, Bundle(topic, 0, [record]), self.now, RULES, 100))

    def row(self, number):
        return self.table.partition(0).rows.get(message_key(TRIGGERS[number].trigger_id + ".0"))

    def do_trigger(self, number):
        self.feed("outbox", TRIGGERS[number])

    def do_cancel(self, number):
        row = self.row(number)
        if row is None or row.state is State.CLAIMED:
            self.cancelled.add(number)
        self.feed("outbox", Cancel(TRIGGERS[number].trigger_id, "u", Reason.GOAL_REACHED, self.now))

    def do_receipt(self, number, outcome):
        self.feed(
            "receipts",
            Receipt(
                outcome,
                "u",
                "email",
                self.now,
                message_id=TRIGGERS[number].trigger_id + ".0",
                address=TRIGGERS[number].addresses["email"],
            ),
        )

    def do_grant(self, number):
        row = self.row(number)
        busy = {TRIGGERS[other].addresses["email"] for other in self.granted}
        if row is None or row.state is not State.CLAIMED or TRIGGERS[number].addresses["email"] in busy:
            return
        wanted = trigger_of(row)
        assert wanted == TRIGGERS[number]
        key, attempt = message_key(wanted.trigger_id + ".0"), row.attempt
        box = []
        self.table.run(0, lambda step: box.append(grant(step, key, wanted, attempt, self.now, RULES)))
        if box[0] is True:
            assert refusal(facts({}, "m:x.0", wanted, "email", self.now)) is None
            self.granted[number] = key
        elif box[0]:
            self.table.run(0, lambda step: settle(step, key, wanted, box[0], self.now, RULES))

    def do_answer(self, number, kind):
        if number not in self.granted:
            return
        key = self.granted.pop(number)
        if kind in ("accept", "lose"):  # the relay took it; with "lose" nobody heard the answer
            self.taken.append(number)
            assert number not in self.cancelled
        move = {"accept": Move.ACCEPT, "postpone": Move.POSTPONE, "fail": Move.FAIL, "lose": Move.LOSE}[kind]
        verdict = Verdict(move, Reason.SENT, next_at=self.now + 10)
        self.table.run(0, lambda step: settle(step, key, TRIGGERS[number], verdict, self.now, RULES))

    def do_say(self, number):
        """Granted and taken at once."""
        self.do_grant(number)
        self.do_answer(number, "accept")

    def do_crash(self):
        """Whatever was granted may have been taken by the relay; the new sender finds INFLIGHT rows."""
        self.taken += list(self.granted)
        self.granted.clear()
        rows = self.table.partition(0).rows
        keys = [key for key, row in rows.items() if isinstance(row, Message) and row.state is State.INFLIGHT]
        self.table.run(0, lambda step: steps.lost_in_flight(step, keys, self.now, RULES))
        assert not [row for row in rows.values() if isinstance(row, Message) and row.state is State.INFLIGHT]

    def do_time(self, seconds):
        self.now += seconds
        keys = [key for key, row in self.table.partition(0).rows.items() if isinstance(row, Message)]
        self.table.run(0, lambda step: steps.expire(step, keys, self.now, RULES))


@settings(max_examples=800, deadline=None)
@given(scripts)
def test_a_marketing_message_is_taken_at_most_once_and_never_after_its_cancellation(script):
    world = World()
    for name, *arguments in script:
        getattr(world, "do_" + name)(*arguments)
    for number in (0, 1, 2):
        assert world.taken.count(number) <= 1
    # caps hold per address: triggers 0 (c0), 2 (c0, no cap of its own), 1 (c1); 0 after 2 is capped
    assert not (0 in world.taken and 2 in world.taken and world.taken.index(2) < world.taken.index(0))
    for row in world.table.partition(0).rows.values():
        if isinstance(row, Message):
            assert bool(row.payload) == (row.state in (State.CLAIMED, State.INFLIGHT))


@settings(max_examples=300, deadline=None)
@given(scripts)
def test_every_end_has_one_receipt_and_one_line_in_the_journal(script):
    world = World()
    for name, *arguments in script:
        getattr(world, "do_" + name)(*arguments)
    ended = [row for row in world.table.partition(0).rows.values() if isinstance(row, Message) and not row.payload]
    receipts = [o for o in world.outputs if o.topic == "receipts"]
    repeated = sum(b'"ambiguous"' in o.value and b'"marketing":false' in o.value for o in receipts)
    assert len(ended) <= len(receipts) <= len(ended) + repeated
    assert len([o for o in world.outputs if o.topic == "journal"]) >= len(receipts)


@given(st.sampled_from(list(State)), st.sampled_from(list(Move)))
def test_only_the_transitions_of_the_table_are_possible(state, move):
    row = Message(state, "email", 0, "u", "s", b"x", 0.0, 0.0)
    if (state, move) in TRANSITIONS:
        row.move(move, 1.0, "r")
        assert row.state is TRANSITIONS[state, move]
    else:
        with pytest.raises(IllegalMove):
            row.move(move, 1.0, "r")
        assert (row.state, row.updated_at, row.reason) == (state, 0.0, "")
