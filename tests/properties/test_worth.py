"""What must hold of attribution whatever customers do and providers tell, in whatever order it is read."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.load import parse
from app.model.policy import AttributionWindow, Policy
from app.model.reasons import Reason
from app.model.receipt import Outcome
from tests.agents.test_cascade import EVERYWHERE
from tests.agents.test_policy import SMS
from tests.agents.test_worth import MAIL
from tests.driver import DAY, HOUR, MINUTE, Engine
from tests.properties.test_core import restart

WINDOWS = {"email": AttributionWindow("opened", 2 * DAY), "sms": AttributionWindow("sent", 6 * HOUR)}
RANKS = {Outcome.SENT: 0, Outcome.DELIVERED: 1, Outcome.OPENED: 2, Outcome.CLICKED: 3, Outcome.REPLIED: 3}
ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.just(0), st.just(0)),
    st.tuples(st.just("wish"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([MINUTE, HOUR + 2, 7 * HOUR, DAY]), st.just(0)),
    st.tuples(st.sampled_from(list(RANKS)), st.integers(0, 3), st.sampled_from([0, MINUTE, 3 * HOUR])),
    st.tuples(st.just("order"), st.integers(0, 7), st.sampled_from([0, MINUTE, 2 * HOUR])),
    st.tuples(st.just("refund"), st.integers(0, 7), st.sampled_from([0, 4, 10])),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
)


class Story:
    """A shop, and a slow notebook beside it of all that was told."""

    def __init__(self):
        self.engine = Engine([parse(SMS), parse(MAIL)], policy=Policy(quiet=None, caps=(), attribution=WINDOWS))
        self.engine.identify("u1", email="u1@shop.example", phone="+79160000001", consent=EVERYWHERE)
        self.orders = {}
        self.back = defaultdict(float)
        self.whole = set()
        self.touched = defaultdict(dict)
        """Trigger -> rank of a touch -> when it came first."""

    def play(self, history):
        engine = self.engine
        for action, what, more in history:
            if action == "add":
                engine.add("p1")
            elif action == "wish":
                engine.event("Wished")
            elif action == "wait":
                engine.wait(what)
            elif action == "restart":
                restart(engine)
            elif action == "order":
                self._order(f"o{what}", more)
            elif action == "refund":
                self._refund(f"o{what}", more)
            elif engine.triggers:
                self._touch(engine.triggers[-1 - what % len(engine.triggers)], action, more)
            engine.clock.advance(1.0)

    def _order(self, name, late):
        at = self.engine.clock.now() - late
        self.engine.event("Order Completed", order_id=name, total=10.0, at=at)
        self.orders.setdefault(name, at)

    def _refund(self, name, amount):
        known = self.engine.customer()
        remembered = bool(known.sends or known.fired)
        self.engine.event("Order Refunded", order_id=name, total=float(amount))
        if remembered:
            self.back[name] += amount
            if not amount:
                self.whole.add(name)

    def _touch(self, trigger, outcome, late):
        at = max(trigger.fired_at, self.engine.clock.now() - late)
        self.engine.receipt(trigger, outcome, at=at)
        ranks = self.touched[trigger.trigger_id]
        ranks[RANKS[outcome]] = min(int(at), ranks.get(RANKS[outcome], int(at)))

    def is_given_back(self, name):
        return name in self.whole or self.back[name] >= 10.0

    def owed(self, name):
        """The message that an order is owed to, worked out from the notebook alone."""
        best = None
        for trigger in self.engine.triggers:
            ranks = self.touched.get(trigger.trigger_id)
            if not ranks:
                continue
            window = WINDOWS[trigger.cascade[0].channel]
            began = ranks.get(0, int(trigger.fired_at))
            least = {"sent": 0, "opened": 2}[window.by]
            moments = [at for rank, at in ranks.items() if rank >= least]
            moments = [at for at in moments if at <= self.orders[name] and at <= began + window.within]
            if moments and self.orders[name] <= max(moments) + window.within:
                best = max(filter(None, (best, (max(moments), trigger.fired_at, trigger.trigger_id))))
        return best[2] if best else None


@settings(max_examples=120, deadline=None)
@given(st.lists(ACTIONS, min_size=6, max_size=40))
def test_each_order_is_owed_to_the_message_that_a_look_back_at_everything_finds_and_to_no_other(history):
    story = Story()
    story.play(history)
    count, value = defaultdict(int), defaultdict(float)
    for line in story.engine.journal:
        if line.reason == Reason.ATTRIBUTED:
            count[line.detail["order"], line.trigger_id] += 1
            value[line.detail["order"], line.trigger_id] += line.detail["value"]
        elif line.reason in (Reason.REATTRIBUTED, Reason.REFUNDED):
            count[line.detail["order"], line.trigger_id] -= line.detail["whole"]
            value[line.detail["order"], line.trigger_id] -= line.detail["value"]
    found = {order: trigger for (order, trigger), number in count.items() if number}
    assert len(found) == sum(count.values())  # at most one message an order
    assert set(count.values()) <= {0, 1}
    expected = {name: owed for name in story.orders if not story.is_given_back(name) and (owed := story.owed(name))}
    assert found == expected
    for name, trigger in expected.items():
        assert value[name, trigger] == 10.0 - story.back[name]
    assert sum(value.values()) == sum(10.0 - story.back[name] for name in expected)
    assert not story.engine.dead


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, min_size=6, max_size=40))
def test_what_was_noted_for_a_scenario_and_what_was_taken_back_of_it_leave_what_is_left_of_the_order(history):
    story = Story()
    story.play(history)
    left = defaultdict(float)
    for line in story.engine.journal:
        if line.reason in (Reason.BOUGHT_AFTER, Reason.GOAL_UNDONE):
            sign = 1 if line.reason == Reason.BOUGHT_AFTER else -1
            left[line.scenario, line.detail["order"]] += sign * line.detail["value"]
    for (_, name), value in left.items():
        assert value == (0.0 if story.is_given_back(name) else 10.0 - story.back[name])
