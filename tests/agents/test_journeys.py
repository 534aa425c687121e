"""Scenarios with steps, in time: how customers enter, what each kind of step does, and what ends a journey."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agents.dialogs.staff import Staff
from agents.scenarios.load import Loaded, parse
from agents.scenarios.unarmed import standings
from app.model.policy import Policy, Quiet
from app.model.receipt import Outcome
from app.model.team import Member, Team
from tests.driver import DAY, HOUR, MINUTE, Engine

HEAD = """\
id: welcome
version: 1
title: Welcome
family: greeting
priority: 50
reentry: always
cap: 0s
"""
GREETS = "steps: [{message: {channel: email, template: hello}}]\n"


def shop_of(*texts, head=HEAD, **options):
    scenarios = [parse(head + text) for text in texts]
    shop = Engine(scenarios, delivers=options.pop("delivers", True), **options)
    shop.subscriber()
    return shop


def another(text, **fields):
    """The head of another scenario."""
    head = HEAD
    for name, value in fields.items():
        old = next(line for line in HEAD.splitlines() if line.startswith(f"{name}:"))
        head = head.replace(old, f"{name}: {value}")
    return parse(head + text)


def templates(shop):
    return [trigger.cascade[0].template for trigger in shop.triggers]


def journeys(shop, key="u1"):
    engagement = shop.customer(key).engagement
    return (engagement.journeys if engagement is not None else None) or []


# -- entries


def test_an_event_begins_a_journey_and_its_message_is_about_it():
    shop = shop_of("entry: {event: Subscribed}\n" + GREETS)
    shop.event("Subscribed", product_id="p1", name="Lamp", price=3.0, category="lamps")
    shop.wait(1)
    (trigger,) = shop.triggers
    assert (trigger.scenario, trigger.step, trigger.stage) == ("welcome", 1, 0)
    assert [(line.product_id, line.name) for line in trigger.content.items] == [("p1", "Lamp")]
    assert trigger.content.category == "lamps"
    assert shop.reasons("welcome") == ["journey_begun", "fired", "journey_ended"]
    assert journeys(shop) == []


def test_who_does_not_meet_the_condition_does_not_enter():
    shop = shop_of("entry: {event: Subscribed, when: {event: category, is: sofas}}\n" + GREETS)
    shop.event("Subscribed", category="lamps")
    shop.wait(1)
    assert shop.reasons("welcome") == []
    shop.event("Subscribed", category="sofas")
    shop.wait(1)
    assert templates(shop) == ["hello"]


def test_an_absence_begins_a_journey():
    text = "entry: {absence: {of: [product_viewed], for: 2h}}\n" + GREETS
    shop = shop_of(text)
    shop.view("p1")
    shop.wait(2 * HOUR - 1)
    assert shop.triggers == []
    shop.wait(2)
    assert templates(shop) == ["hello"]
    assert shop.reasons("welcome") == ["armed", "journey_begun", "fired", "journey_ended"]


def test_an_order_ends_an_absence_before_the_journey():
    shop = shop_of("entry: {absence: {of: [product_viewed], for: 2h}}\n" + GREETS)
    shop.view("p1")
    shop.wait(HOUR)
    shop.order()
    shop.wait(DAY)
    assert shop.triggers == []


def test_an_event_that_comes_twice_begins_one_journey():
    shop = shop_of("entry: {event: Subscribed}\n" + GREETS)
    shop.event("Subscribed", id="e1")
    shop.wait(1)
    shop.event("Subscribed", id="e1", at=shop.clock.now() - 1)
    shop.wait(1)
    assert templates(shop) == ["hello"]


@pytest.mark.parametrize(("reentry", "times"), [("once", [1, 1, 1]), ("always", [1, 2, 3]), ("2d", [1, 1, 2])])
def test_reentry(reentry, times):
    shop = shop_of("entry: {event: Subscribed}\n" + GREETS, head=HEAD.replace("reentry: always", f"reentry: {reentry}"))
    found = []
    for _ in times:
        shop.event("Subscribed")
        shop.wait(DAY + HOUR)
        found.append(len(shop.triggers))
    assert found == times
    if reentry != "always":
        assert "reentry" in shop.reasons("welcome")


def test_journeys_of_two_products_go_side_by_side_and_of_one_product_only_one():
    shop = shop_of(
        "per: product\nentry: {event: Product Viewed}\nsteps: [{delay: 1h}, {message: {channel: email, template: hello}}]\n"
    )
    for product in ("p1", "p2", "p1"):
        shop.view(product)
        shop.clock.advance(1)
    assert len(journeys(shop)) == 2
    shop.wait(2 * HOUR)
    assert [trigger.content.items[0].product_id for trigger in shop.triggers] == ["p1", "p2"]


def test_what_is_stopped_begins_nothing_and_goes_no_further():
    text = "entry: {event: Subscribed}\nsteps: [{delay: 1h}, {message: {channel: email, template: hello}}]\n"
    shop = shop_of(text)
    shop.event("Subscribed")
    shop.decider.take([parse(HEAD + "stopped: true\n" + text)])
    shop.wait(2 * HOUR)
    assert shop.triggers == []
    assert shop.reasons("welcome")[-1] == "scenario_stopped"
    assert journeys(shop) == []
    shop.event("Subscribed")
    assert shop.reasons("welcome")[-1] == "scenario_stopped"


# -- families and bounds


def test_of_a_family_the_higher_priority_takes_the_place_of_the_lower_one():
    low = another(
        "entry: {event: Low}\nsteps: [{delay: 1d}, {message: {channel: email, template: low}}]\n", id="low", priority=1
    )
    high = another(
        "entry: {event: High}\nsteps: [{delay: 1d}, {message: {channel: email, template: high}}]\n",
        id="high",
        priority=9,
    )
    shop = Engine([low, high], delivers=True)
    shop.subscriber()
    shop.event("Low")
    shop.clock.advance(1)
    shop.event("High")
    shop.clock.advance(1)
    shop.event("Low")
    shop.wait(2 * DAY)
    assert templates(shop) == ["high"]
    assert shop.reasons("low") == ["journey_begun", "journey_waits", "outranked", "outranked"]


def test_a_journey_keeps_a_scenario_of_its_family_without_steps_from_firing():
    concise = """\
id: wish
version: 1
title: Wish
family: greeting
priority: 5
absence: {of: [product_viewed], for: 1h}
show: {items: views}
cascade: [{channel: email, template: wish}]
"""
    shop = Engine(
        [
            parse(concise),
            parse(
                HEAD
                + "entry: {event: Subscribed}\nsteps: [{delay: 1d}, {message: {channel: email, template: hello}}]\n"
            ),
        ],
        delivers=True,
    )
    shop.subscriber()
    shop.view("p1")
    shop.event("Subscribed")
    shop.wait(2 * DAY)
    assert templates(shop) == ["hello"]
    assert "outranked" in shop.reasons("wish")


def test_a_customer_is_in_a_dozen_journeys_and_the_oldest_of_the_lowest_priority_gives_way():
    scenarios = [
        another(f"entry: {{event: E{n}}}\nsteps: [{{delay: 1d}}]\n", id=f"s{n}", family=f"f{n}", priority=10 + (n != 3))
        for n in range(13)
    ]
    shop = Engine(scenarios)
    for n in range(13):
        shop.event(f"E{n}")
        shop.clock.advance(1)
    assert len(journeys(shop)) == 12
    assert shop.reasons("s3")[-1] == "journeys_full"
    shop.event("E3")
    assert shop.reasons("s3")[-1] == "journeys_full"
    assert len(journeys(shop)) == 12


# -- steps


def test_a_delay_is_waited_for_to_the_second():
    shop = shop_of("entry: {event: Subscribed}\nsteps: [{delay: 3d}, {message: {channel: email, template: hello}}]\n")
    shop.event("Subscribed")
    shop.wait(3 * DAY - 1)
    assert shop.triggers == []
    shop.wait(1)
    assert templates(shop) == ["hello"]


def test_until_waits_for_the_hour_and_weekday_of_the_customer():
    shop = shop_of(
        "entry: {event: Subscribed}\nsteps: [{until: {at: '10:00', on: [mon]}}, {message: {channel: email, template: hello}}]\n"
    )
    shop.identify(timezone="Asia/Novosibirsk")
    shop.event("Subscribed")
    shop.wait(8 * DAY)
    local = datetime.fromtimestamp(shop.triggers[0].fired_at, ZoneInfo("Asia/Novosibirsk"))
    assert (local.weekday(), local.hour, local.minute) == (0, 10, 0)


WAITS = """\
entry: {event: Subscribed}
steps:
  - wait:
      for:
        - {event: Order Completed, when: {event: total, at_least: 100}, then: [{message: {channel: email, template: rich}}]}
        - {event: Order Completed, then: [{message: {channel: email, template: poor}}]}
        - {event: Product Viewed, then: [{exit: looked}]}
      most: 14d
      else: [{message: {channel: email, template: nothing}}]
  - message: {channel: email, template: after}
"""


@pytest.mark.parametrize(
    ("what", "found"),
    [("rich", ["rich", "after"]), ("poor", ["poor", "after"]), ("view", []), ("", ["nothing", "after"])],
)
def test_a_wait_takes_the_branch_of_the_first_event_or_the_other_one_when_time_is_up(what, found):
    shop = shop_of(WAITS)
    shop.event("Subscribed")
    shop.wait(DAY)
    if what == "view":
        shop.view("p1")
    elif what:
        shop.order(total=200.0 if what == "rich" else 5.0)
    shop.wait(15 * DAY)
    assert templates(shop) == found


def test_what_happened_before_a_wait_is_not_what_it_waits_for():
    shop = shop_of(WAITS)
    late = shop.clock.now() - 5
    shop.event("Subscribed")
    shop.order(at=late, total=200.0)
    assert [journey.step for journey in journeys(shop)] == [1]


def test_a_split_takes_the_first_branch_that_holds_and_tells_what_it_saw():
    text = """\
entry: {event: Subscribed}
steps:
  - split:
      - {when: {orders: count, at_least: 2}, steps: [{message: {channel: email, template: loyal}}]}
      - {when: {cart: value, at_least: 50}, steps: [{message: {channel: email, template: cart}}]}
      - {otherwise: [{message: {channel: email, template: new}}]}
"""
    found = []
    for prices in ([], [60.0]):
        shop = shop_of(text)
        for price in prices:
            shop.add("p1", price=price)
        shop.event("Subscribed")
        shop.wait(1)
        found += templates(shop)
    assert found == ["new", "cart"]
    (line,) = [line for line in shop.journal if line.reason == "branch_taken"]
    assert line.detail == {"step": "1", "branch": 2, "saw": "the cart's value is 60, and is to be at least 50"}


EXPERIMENT = """\
entry: {event: Subscribed}
steps:
  - experiment:
      name: subject
      arms:
        - {share: 3, steps: [{message: {channel: email, template: a}}]}
        - {share: 1, steps: [{message: {channel: email, template: b}}]}
"""


def test_an_experiment_is_weighted_and_who_came_into_an_arm_comes_into_it_again():
    shop = shop_of(EXPERIMENT)
    for n in range(400):
        shop.subscriber(f"u{n}")
        shop.event("Subscribed", f"u{n}")
    shop.wait(1)
    arms = {trigger.customer: trigger.cascade[0].template for trigger in shop.triggers}
    assert 260 < sum(arm == "a" for arm in arms.values()) < 340
    before = len(shop.triggers)
    for n in range(100):
        shop.event("Subscribed", f"u{n}")
    shop.wait(1)
    again = shop.triggers[before:]
    assert len(again) == 100
    assert all(arms[trigger.customer] == trigger.cascade[0].template for trigger in again)


def test_a_cascade_is_gone_through_before_the_journey_goes_on():
    text = """\
entry: {event: Subscribed}
steps:
  - cascade: [{channel: email, template: one, wait: 1d, reaction: opened}, {channel: sms, template: two}]
  - delay: 1h
  - message: {channel: email, template: three}
"""
    for reacts, found in ((False, ["one", "two", "three"]), (True, ["one", "three"])):
        shop = shop_of(text)
        shop.identify(phone="+4915112345678", consent={"sms": True})
        shop.event("Subscribed")
        shop.wait(HOUR)
        if reacts:
            shop.receipt(shop.triggers[0], Outcome.OPENED)
        shop.wait(3 * DAY)
        assert templates(shop) == found
        assert [trigger.step for trigger in shop.triggers] == [1, 1, 3] if not reacts else [1, 3]
        assert journeys(shop) == []


def test_a_message_that_cannot_be_said_is_passed_over_and_told():
    shop = shop_of(
        "entry: {event: Subscribed}\nsteps: [{message: {channel: sms, template: hello}}, {message: {channel: email, template: mail}}]\n"
    )
    shop.event("Subscribed")
    shop.wait(1)
    assert templates(shop) == ["mail"]
    assert shop.reasons("welcome") == ["journey_begun", "no_address", "fired", "journey_ended"]


def test_a_journey_waits_until_the_sender_has_told_what_became_of_its_message():
    text = "entry: {event: Subscribed}\nsteps: [{message: {channel: email, template: one}}, {message: {channel: email, template: two}}]\n"
    shop = shop_of(text, delivers=False)
    shop.event("Subscribed")
    shop.wait(DAY)
    assert templates(shop) == ["one"]
    shop.receipt(shop.triggers[0], Outcome.FAILED)
    shop.wait(1)
    assert templates(shop) == ["one", "two"]


def test_a_webhook_needs_no_consent():
    shop = Engine([parse(HEAD + "entry: {event: Subscribed}\nsteps: [{webhook: {template: hello}}]\n")], delivers=True)
    shop.event("Subscribed")
    shop.wait(1)
    (trigger,) = shop.triggers
    assert (trigger.marketing, trigger.addresses) == (False, {"webhook": "customers:u1"})


def test_traits_tags_and_audiences_are_noted_and_shown():
    text = """\
entry: {event: Subscribed}
steps:
  - set: {level: gold, points: 5}
  - tag: {add: [greeted, fresh]}
  - tag: {remove: [fresh]}
  - audience: {add: news}
  - message: {channel: email, template: hello}
"""
    shop = shop_of(text)
    shop.event("Subscribed")
    shop.wait(1)
    content = shop.triggers[0].content
    assert (content.traits, content.tags) == ({"level": "gold", "points": 5}, ["greeted"])
    engagement = shop.customer().engagement
    assert list(engagement.audiences) == ["news"]
    assert shop.reasons("welcome").count("noted") == 4


def test_go_leads_to_a_step_further_down():
    text = """\
entry: {event: Subscribed}
steps:
  - split: [{when: {orders: count, below: 1}, steps: [{go: last}]}]
  - message: {channel: email, template: middle}
  - {name: last, message: {channel: email, template: last}}
"""
    shop = shop_of(text)
    shop.event("Subscribed")
    shop.wait(1)
    assert templates(shop) == ["last"]


# -- alerts to the sales team

CALLS = """\
entry: {event: Subscribed}
steps:
  - alert: {text: Please call, to: TO}
  - tag: {add: [called]}
"""
TEAM = Team(
    name="Sales",
    addresses={"slack": "#sales", "email": "sales@shop.example"},
    members=(
        Member("maria", "Maria", (), {"telegram": "42"}, locale="ru"),
        Member("petr", "Petr", (), {"email": "petr@shop.example"}, head=True),
        Member("olga", "Olga"),
    ),
)


@pytest.mark.parametrize(
    ("to", "member", "addresses"),
    [
        ("team", "", TEAM.addresses),
        ("head", "petr", {"email": "petr@shop.example"}),
        ("maria", "maria", {"telegram": "42"}),
        ("olga", "", TEAM.addresses),
        ("nobody", "", TEAM.addresses),
    ],
)
def test_the_sales_team_is_told_once_by_its_own_addresses_whatever_the_customer_allows(to, member, addresses):
    shop = Engine([parse(HEAD + CALLS.replace("TO", to))], staff=Staff(TEAM))
    shop.identify(phone="+79990000001", name="Anna Petrova")
    shop.add("p1", price=700.0)
    shop.event("Product Viewed", product_id="p2", name="Lamp")
    shop.event("Subscribed", id="s1")
    shop.event("Subscribed", id="s1")
    shop.wait(HOUR)
    (trigger,) = shop.triggers
    assert (trigger.addresses, trigger.marketing, trigger.anchor) == (addresses, False, "s1")
    assert [stage.template for stage in trigger.cascade] == ["alert"] * len(addresses)
    alert = trigger.alert
    assert (alert.title, alert.to, alert.who, alert.phone) == ("Please call", member, "Anna Petrova", "+79990000001")
    assert (alert.value, [line.product_id for line in alert.views], alert.dialog) == (700.0, ["p2"], "")
    assert list(shop.customer().engagement.tags) == ["called"]
    assert shop.reasons("welcome").count("team_told") == 1


def test_an_alert_with_a_template_takes_along_what_it_may_show():
    shop = Engine([parse(HEAD + CALLS.replace("text: Please call", "template: silent_vip"))], staff=Staff(TEAM))
    shop.event("Subscribed")
    shop.wait(1)
    (trigger,) = shop.triggers
    assert (trigger.alert.template, trigger.alert.title) == ("silent_vip", "")
    assert [stage.template for stage in trigger.cascade] == ["alert"] * 2


@pytest.mark.parametrize("outcome", [Outcome.COMPLAINED, Outcome.UNSUBSCRIBED, Outcome.BOUNCED])
@pytest.mark.parametrize("named", [True, False])
def test_what_the_team_does_with_its_message_says_nothing_of_the_customer(outcome, named):
    shop = Engine([parse(HEAD + CALLS.replace("TO", "head"))], staff=Staff(TEAM))
    shop.subscriber()
    shop.event("Subscribed", id="s1")
    shop.wait(HOUR)
    (trigger,) = shop.triggers
    before = shop.customer().consent, shop.reasons()
    told = trigger if named else msgspec.structs.replace(trigger, scenario="")
    shop.receipt(told, outcome, channel="email")
    assert (shop.customer().consent, shop.reasons()) == before


def test_where_no_address_of_the_team_is_known_the_journey_tells_it_and_goes_on():
    shop = shop_of(CALLS.replace("TO", "team"), staff=Staff(Team()))
    shop.event("Subscribed")
    shop.wait(1)
    assert shop.triggers == []
    assert shop.reasons("welcome")[-3:] == ["no_address", "noted", "journey_ended"]


def test_the_team_is_not_told_by_a_scenario_that_was_stopped_or_when_it_is_too_late():
    for text, reason in (("stopped: true\n", "scenario_stopped"), ("max_lateness: 1h\n", "too_late")):
        began = Engine(
            [parse(HEAD + CALLS.replace("TO", "team").replace("steps:", "steps:\n  - delay: 1d"))], staff=Staff(TEAM)
        )
        began.event("Subscribed")
        began.behaviour.take(
            Loaded(
                [parse(HEAD + text + CALLS.replace("TO", "team").replace("steps:", "steps:\n  - delay: 1d"))], [], []
            )
        )
        if reason == "too_late":
            began.clock.advance(2 * DAY)
        began.wait(DAY + 1)
        assert began.triggers == [] and reason in began.reasons("welcome")


# -- goal and exit

AGAIN = "goal: {event: Order Completed}\nentry: {event: Order Completed}\nsteps: [{delay: 2d}, {message: {channel: email, template: two}}]\n"


@pytest.mark.parametrize(("later", "ended"), [(0, False), (1, True)])
def test_of_two_orders_at_one_moment_the_second_neither_ends_what_the_first_began_nor_begins_another(later, ended):
    shop = shop_of(AGAIN)
    at = shop.clock.now()
    shop.event("Order Completed", order_id="o1", total=5.0, at=at)
    shop.event("Order Completed", order_id="o2", total=7.0, at=at + later)
    assert shop.reasons("welcome").count("goal_reached") == ended
    (journey,) = journeys(shop)
    assert (journey.at, journey.about.order_id) == (at + later, "o2" if ended else "o1")
    shop.wait(2 * DAY + 2)
    assert templates(shop) == ["two"]


GOAL = "goal: {event: Order Completed}\nentry: {event: Subscribed}\nsteps: [{message: {channel: email, template: one}}, {delay: 2d}, {message: {channel: email, template: two}}]\n"


def test_the_goal_ends_a_journey_and_leaves_no_timer():
    shop = shop_of(GOAL)
    shop.event("Subscribed")
    shop.wait(DAY)
    shop.order()
    assert journeys(shop) == []
    assert shop.behaviour.wake_of(shop.customer()) is None
    shop.wait(5 * DAY)
    assert templates(shop) == ["one"]
    assert shop.reasons("welcome")[-1] == "goal_reached"


def test_the_goal_calls_back_what_is_with_the_sender():
    shop = shop_of(GOAL, delivers=False)
    shop.event("Subscribed")
    shop.wait(1)
    shop.order()
    assert [(cancel.trigger_id, cancel.reason) for cancel in shop.cancels] == [
        (shop.triggers[0].trigger_id, "goal_reached")
    ]


def test_a_goal_after_its_time_does_not_count():
    shop = shop_of(GOAL.replace("Order Completed}", "Order Completed, within: 1h}"))
    shop.event("Subscribed")
    shop.wait(DAY)
    shop.order()
    shop.wait(5 * DAY)
    assert templates(shop) == ["one", "two"]


def test_a_goal_that_does_not_end_it_is_told_once():
    shop = shop_of("exit_on: end\n" + GOAL)
    shop.event("Subscribed")
    shop.wait(DAY)
    shop.order()
    shop.order()
    shop.wait(5 * DAY)
    assert templates(shop) == ["one", "two"]
    assert shop.reasons("welcome").count("goal_reached") == 1


def test_an_order_from_before_is_no_goal_and_a_late_one_from_after_the_beginning_is():
    shop = shop_of(GOAL)
    start = shop.clock.now()
    shop.clock.advance(10 * MINUTE)
    shop.event("Subscribed")
    shop.order(at=start)
    assert len(journeys(shop)) == 1
    shop.order(at=start + 11 * MINUTE)
    assert journeys(shop) == []


# -- gates


def test_quiet_hours_hold_a_message_of_a_journey():
    night = Quiet(22 * 60, 9 * 60)
    shop = shop_of("entry: {event: Subscribed}\n" + GREETS.replace("email", "sms"), policy=Policy(quiet=night))
    shop.identify(timezone="UTC", phone="+4915112345678", consent={"sms": True})
    shop.wait((-shop.clock.now()) % DAY + 1)  # just after midnight of UTC
    shop.event("Subscribed")
    shop.wait(8 * HOUR)
    assert shop.reasons("welcome") == ["journey_begun", "quiet_hours"]
    shop.wait(2 * HOUR)
    assert templates(shop) == ["hello"]


def test_a_withdrawn_consent_calls_a_message_back_and_says_no_further_one():
    shop = shop_of(GOAL, delivers=False)
    shop.event("Subscribed")
    shop.wait(1)
    shop.identify(consent=False)
    assert [cancel.reason for cancel in shop.cancels] == ["consent_withdrawn"]
    shop.receipt(shop.triggers[0], Outcome.SKIPPED, reason="consent_withdrawn")
    shop.wait(3 * DAY)
    assert templates(shop) == ["one"]
    assert shop.reasons("welcome")[-2:] == ["no_consent", "journey_ended"]


def test_a_message_that_an_outage_has_delayed_for_too_long_is_passed_over():
    shop = shop_of(
        "entry: {event: Subscribed}\nsteps: [{delay: 1h}, {message: {channel: email, template: late}}, {delay: 1h}, {message: {channel: email, template: next}}]\n"
    )
    shop.event("Subscribed")
    shop.clock.advance(3 * DAY)
    shop.wait(0)
    assert shop.reasons("welcome")[-2:] == ["too_late", "journey_waits"]
    shop.wait(HOUR)
    assert templates(shop) == ["next"]


# -- identity, versions


def test_a_journey_of_a_visitor_goes_on_when_he_becomes_a_user():
    shop = shop_of("entry: {event: Subscribed}\nsteps: [{delay: 1h}, {message: {channel: email, template: hello}}]\n")
    shop.event("Subscribed", None, anonymous="a1")
    shop.identify("u1", anonymous="a1")
    shop.wait(2 * HOUR)
    assert [(trigger.customer, trigger.cascade[0].template) for trigger in shop.triggers] == [("u1", "hello")]


def test_of_two_journeys_of_one_scenario_the_first_goes_on_after_a_merge():
    shop = shop_of("entry: {event: Subscribed}\nsteps: [{delay: 1h}, {message: {channel: email, template: hello}}]\n")
    shop.event("Subscribed", None, anonymous="a1")
    shop.clock.advance(MINUTE)
    shop.event("Subscribed")
    shop.identify("u1", anonymous="a1")
    shop.wait(2 * HOUR)
    assert templates(shop) == ["hello"]
    assert "ended_by_merge" in shop.reasons("welcome")


def test_a_journey_whose_step_is_gone_ends():
    shop = shop_of(
        "entry: {event: Subscribed}\nsteps: [{message: {channel: email, template: one}}, {delay: 1h}, {message: {channel: email, template: two}}]\n"
    )
    shop.event("Subscribed")
    shop.wait(MINUTE)
    shop.decider.take([parse(HEAD.replace("version: 1", "version: 2") + "entry: {event: Subscribed}\n" + GREETS)])
    shop.wait(2 * HOUR)
    assert templates(shop) == ["one"]
    assert shop.reasons("welcome")[-1] == "scenario_gone"


def test_a_journey_ends_under_the_version_under_which_it_began():
    old = parse(HEAD + "entry: {event: Subscribed}\nsteps: [{delay: 1h}, {message: {channel: email, template: old}}]\n")
    new = parse(HEAD.replace("version: 1", "version: 2") + "upgrade: finish\nentry: {event: Subscribed}\n" + GREETS)
    shop = Engine([old], delivers=True)
    shop.subscriber()
    shop.event("Subscribed")
    shop.decider.take([new], [old])
    shop.wait(2 * HOUR)
    assert templates(shop) == ["old"]


# -- dates

BIRTHDAY = "entry: {date: {trait: birthday, offset: -7d, at: '10:00'}}\nsteps: [{message: {channel: email, template: hello}}]\n"


def dates(shop):
    return [datetime.fromtimestamp(trigger.fired_at, UTC).strftime("%Y-%m-%d %H:%M") for trigger in shop.triggers]


def born(shop, text, **more):
    shop.identify(custom={"birthday": text}, **more)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1990-05-17", ["05-10", "05-10"]),
        ("05-17", ["05-10", "05-10"]),
        ("1990-01-03T00:00:00Z", ["12-27", "12-27"]),
        ("2000-02-29", ["02-21", "02-21"]),
        ("soon", []),
    ],
)
def test_a_date_of_the_customer_begins_a_journey_every_year(text, days):
    shop = shop_of(BIRTHDAY)
    shop.wait(datetime(2026, 1, 10, tzinfo=UTC).timestamp() - shop.clock.now() if shop.clock.now() < 1.768e9 else 0)
    start = datetime.fromtimestamp(shop.clock.now(), UTC)
    born(shop, text, timezone="UTC")
    shop.wait(2 * 365 * DAY)
    assert [found[5:10] for found in dates(shop)] == days
    assert all(found.endswith("10:00") for found in dates(shop))
    assert all(datetime.fromisoformat(found).replace(tzinfo=UTC) > start for found in dates(shop))


def test_a_date_that_comes_once_comes_once():
    shop = shop_of(BIRTHDAY.replace("offset: -7d", "yearly: false"))
    day = datetime.fromtimestamp(shop.clock.now() + 5 * DAY, UTC).strftime("%Y-%m-%d")
    born(shop, day, timezone="UTC")
    shop.wait(800 * DAY)
    assert dates(shop) == [f"{day} 10:00"]


def test_a_date_that_is_moved_is_waited_for_anew():
    shop = shop_of(BIRTHDAY.replace("offset: -7d", "yearly: false"))
    now = shop.clock.now()
    first, second = (datetime.fromtimestamp(now + days * DAY, UTC).strftime("%Y-%m-%d") for days in (5, 9))
    born(shop, first, timezone="UTC")
    shop.wait(DAY)
    born(shop, second)
    shop.wait(20 * DAY)
    assert dates(shop) == [f"{second} 10:00"]


def test_a_step_may_set_the_date_that_another_scenario_begins_on():
    setter = another("entry: {event: Earned}\nsteps: [{set: {birthday: '2027-03-09'}}]\n", id="setter", family="other")
    shop = Engine([setter, parse(HEAD + BIRTHDAY)], delivers=True)
    shop.subscriber(timezone="UTC")
    shop.event("Earned")
    shop.wait(500 * DAY)
    assert dates(shop)[0].endswith("03-02 10:00")


def test_dates_of_a_scenario_that_is_added_later_come_too():
    shop = Engine([], delivers=True)
    shop.subscriber(timezone="UTC")
    born(shop, "1990-05-17")
    shop.decider.take([parse(HEAD + BIRTHDAY)])
    for part in shop.table.parts.values():
        part.rebuild_timers(shop.behaviour.wake_of)
    shop.wait(366 * DAY)
    assert [found[5:] for found in dates(shop)] == ["05-10 10:00"]


@pytest.mark.parametrize(("day", "offset"), [("12-30", "+999d"), ("01-02", "-999d")])
def test_a_far_offset_skips_no_year(day, offset):
    shop = shop_of(BIRTHDAY.replace("-7d", offset))
    born(shop, day, timezone="UTC")
    shop.wait(3 * 366 * DAY)
    assert len(dates(shop)) == 3


def test_more_dates_than_are_remembered_of_scenarios_gone_come_once_each():
    quick = BIRTHDAY.replace("message: {channel: email, template: hello}", "exit: enough")
    shop = Engine([another(quick, id=f"s{number}", family=f"f{number}") for number in range(103)], delivers=True)
    shop.subscriber()
    born(shop, "05-17", timezone="UTC")
    shop.wait(366 * DAY)
    assert len(shop.customer().engagement.dated) == 103


def test_a_date_comes_once_though_the_customer_travels_west():
    shop = shop_of(BIRTHDAY.replace("offset: -7d", "yearly: false"))
    day = datetime.fromtimestamp(shop.clock.now() + 5 * DAY, UTC)
    born(shop, day.strftime("%Y-%m-%d"), timezone="Asia/Tokyo")
    shop.wait(day.replace(hour=2, minute=0).timestamp() - shop.clock.now())
    assert len(dates(shop)) == 1
    shop.identify(timezone="America/New_York")
    shop.wait(2 * DAY)
    assert len(dates(shop)) == 1
    born(shop, (day + timedelta(5)).strftime("%Y-%m-%d"))
    shop.wait(9 * DAY)
    assert len(dates(shop)) == 2


def test_a_date_that_is_due_is_not_lost_when_another_trait_is_told_before_it_is_decided():
    shop = shop_of(BIRTHDAY)
    born(shop, "1990-05-17", timezone="UTC")
    engagement = shop.customer().engagement
    told = engagement.traits_at
    shop.wait(HOUR)
    shop.identify(custom={"level": "gold"})
    assert shop.customer().engagement.traits["level"] == "gold"
    assert shop.customer().engagement.traits_at == told
    shop.identify(custom={"birthday": "1990-05-18"})
    assert shop.customer().engagement.traits_at == told + HOUR


def test_a_scenario_that_comes_once_stays_known_however_many_others_come_with_keys():
    orders = another("entry: {event: Earned}\nper: order\nsteps: [{exit: enough}]\n", id="orders", family="other")
    once = parse(HEAD.replace("always", "once") + "entry: {event: Subscribed}\n" + GREETS)
    shop = Engine([once, orders], delivers=True)
    shop.subscriber()
    shop.event("Subscribed")
    shop.wait(1)
    for number in range(120):
        shop.event("Earned", order_id=f"o{number}")
        shop.wait(1)
    shop.event("Subscribed")
    shop.wait(1)
    assert len(templates(shop)) == 1
    assert len(shop.customer().engagement.entered) == 100


# -- segments, as signals


def test_coming_into_a_segment_begins_a_journey_and_leaving_it_ends_it():
    scenario = parse(
        HEAD
        + "exit_on: segment\nentry: {segment: {enters: loyal}}\nsteps: [{delay: 1d}, {message: {channel: email, template: hello}}]\n"
    )
    assert scenario.program.entry == "segment_entered:loyal"
    assert scenario.program.leaving == "segment_left:loyal"
    shop = Engine([scenario], delivers=True)
    assert shop.decider._index.heard(("segment_entered:loyal",), "").entering == (scenario,)
    assert shop.decider._index.heard(("segment_left:loyal",), "").awaited is True


def test_why_not_tells_where_a_journey_stands_and_why_there_is_none():
    def told(shop, text):
        return [item.text for item in standings("u1", shop.customer(), [parse(HEAD.replace("always", "once") + text)])]

    text = "entry: {event: Subscribed, when: {orders: count, at_least: 1}}\nsteps: [{delay: 1d}, {message: {channel: sms, template: hello}}]\n"
    shop = shop_of(text, head=HEAD.replace("always", "once"))
    shop.event("Subscribed")
    first, barrier = told(shop, text)
    assert first.startswith("was never entered: the number of orders is 0") or "orders" in first
    assert barrier == "would say nothing: no_address (sms)"
    shop.order()
    shop.clock.advance(1)
    shop.event("Subscribed")
    assert told(shop, text)[0] == "is at step 1, and due at"
    shop.wait(2 * DAY)
    assert told(shop, text)[0] == "is over, and is entered once; entered at"


@pytest.mark.parametrize(("reentry", "messages"), [("once", 1), ("30d", 1), ("1h", 2), ("always", 2)])
def test_whoever_turns_out_to_have_entered_before_does_not_enter_again_too_early(reentry, messages):
    steps = "entry: {event: Subscribed}\nsteps: [{delay: 1h}, {message: {channel: email, template: hello}}]\n"
    shop = shop_of(steps, head=re.sub(r"reentry: \S+", f"reentry: {reentry}", HEAD))
    shop.event("Subscribed")
    shop.wait(2 * HOUR)
    shop.event("Subscribed", None, anonymous="a1")
    shop.wait(60)
    shop.identify("u1", anonymous="a1")
    shop.wait(3 * HOUR)
    assert len(templates(shop)) == messages
