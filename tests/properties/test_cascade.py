"""What must hold of cascades and caps whatever customers do, whatever providers tell, in whatever order it is read."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.load import parse
from app.model.policy import DAY as POLICY_DAY
from app.model.policy import Cap, Policy, Quiet, Which, one_per
from app.model.reasons import Reason
from app.model.receipt import Outcome
from tests.agents.test_cascade import CART, EVERYWHERE
from tests.agents.test_policy import WISH
from tests.driver import DAY, HOUR, MINUTE, Engine
from tests.properties.test_core import restart

FAST = CART.replace("reentry: 7d", "reentry: 1h").replace("wait: 1d", "wait: 6h")
WISHES = WISH.replace("channel: sms", "channel: [sms, email]").replace("reentry: 0s", "reentry: 1h")
CAPS = (
    one_per(3 * HOUR, "email"),
    one_per(5 * HOUR, "sms"),
    Cap(3, POLICY_DAY),
    Cap(4, days=2, counts=Which(), obeys=Which()),
)
"""Plain caps, one over all channels, and one of calendar days."""

ANSWERS = st.sampled_from(
    [
        (Outcome.SENT, ""),
        (Outcome.SENT, ""),
        (Outcome.AMBIGUOUS, ""),
        (Outcome.DELIVERED, ""),
        (Outcome.OPENED, ""),
        (Outcome.CLICKED, ""),
        (Outcome.REPLIED, ""),
        (Outcome.FAILED, Reason.REJECTED),
        (Outcome.BOUNCED, Reason.REJECTED),
        (Outcome.SKIPPED, Reason.CHANNEL_DISABLED),
        (Outcome.SKIPPED, Reason.EXPIRED),
        (Outcome.SKIPPED, Reason.CAP),
    ]
)
ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(["p1", "p2"])),
    st.tuples(st.just("wish"), st.just("")),
    st.tuples(st.just("answer"), st.integers(0, 3), ANSWERS),
    st.tuples(st.just("restart"), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([MINUTE, 59 * MINUTE, HOUR + 1, 4 * HOUR + 1, 7 * HOUR, DAY])),
)
UNSAID = (Outcome.FAILED, Outcome.BOUNCED, Outcome.SKIPPED)
HISTORIES = st.lists(ACTIONS, min_size=4, max_size=40)


class Story:
    """A shop that is told what its providers say: of any of the last messages, again and again."""

    def __init__(self, policy):
        self.engine = Engine([parse(FAST), parse(WISHES)], policy=policy)
        self.said, self.unsaid = set(), set()
        self.engine.identify("u1", email="u1@shop.example", phone="+79160000001", consent=EVERYWHERE)

    def play(self, history):
        engine = self.engine
        for action, what, *more in history:
            if action == "add":
                engine.add(what)
            elif action == "wish":
                engine.event("Wished")
            elif action == "wait":
                engine.wait(what)
            elif action == "restart":
                restart(engine)
            elif engine.triggers:
                self._answer(engine.triggers[-1 - what % len(engine.triggers)], *more[0])
            engine.clock.advance(0.5)

    def _answer(self, trigger, outcome, reason):
        """A provider says that a message was never said, or that it was; not both, which no provider does."""
        name = trigger.trigger_id, trigger.stage
        if outcome in UNSAID and name not in self.said:
            self.unsaid.add(name)
        elif outcome not in UNSAID and name not in self.unsaid:
            self.said.add(name)
        else:
            return
        self.engine.receipt(trigger, outcome, reason=reason)


@given(HISTORIES, HISTORIES)
@settings(max_examples=60, deadline=None)
def test_after_the_goal_no_stage_of_what_was_before_it_follows(before, after):
    story = Story(Policy(quiet=None, caps=CAPS))
    story.play(before)
    known = {trigger.trigger_id for trigger in story.engine.triggers}
    said = len(story.engine.triggers)
    story.engine.order()
    story.play([item for item in after if item[0] != "add"])
    story.engine.wait(30 * DAY)
    assert not known & {trigger.trigger_id for trigger in story.engine.triggers[said:]}


@given(HISTORIES)
@settings(max_examples=60, deadline=None)
def test_each_stage_is_decided_once_in_order_and_is_never_early(history):
    story = Story(Policy(quiet=None))
    story.play(history)
    story.engine.wait(30 * DAY)
    triggers = story.engine.triggers
    assert len({(trigger.trigger_id, trigger.stage) for trigger in triggers}) == len(triggers)
    for name in {trigger.trigger_id for trigger in triggers}:
        stages = [trigger.stage for trigger in triggers if trigger.trigger_id == name]
        assert stages == sorted(stages)
    assert all(trigger.fired_at >= trigger.due for trigger in triggers)
    assert not story.engine.dead


@given(HISTORIES)
@settings(max_examples=80, deadline=None)
def test_caps_hold_over_any_interleaving(history):
    story = Story(Policy(quiet=None, caps=CAPS))
    story.play(history)
    story.engine.wait(10 * DAY)
    said = [t for t in story.engine.triggers if (t.trigger_id, t.stage) not in story.unsaid]
    for channel, window in (("email", 3 * HOUR), ("sms", 5 * HOUR)):
        times = [t.fired_at for t in said if t.cascade[0].channel == channel]
        assert all(later - earlier >= window for earlier, later in zip(times, times[1:], strict=False))
    times = [t.fired_at for t in said]
    assert all(later - earlier >= DAY for earlier, later in zip(times, times[3:], strict=False))
    for first, fifth in zip(times, times[4:], strict=False):
        assert fifth // DAY - first // DAY >= 2


@given(HISTORIES, st.sampled_from(["Europe/Moscow", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]))
@settings(max_examples=40, deadline=None)
def test_no_stage_is_decided_in_the_customers_night(history, home):
    story = Story(Policy(quiet=Quiet(21 * 60, 9 * 60), caps=()))
    story.engine.identify("u1", timezone=home)
    story.play(history)
    story.engine.wait(10 * DAY)
    for trigger in story.engine.triggers:
        assert 9 <= _local(trigger.fired_at, home).hour < 21


def _local(at, home):
    return datetime.fromtimestamp(at, ZoneInfo(home))
