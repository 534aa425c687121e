"""Every fault of a scenario with steps, each with its line and what to do."""

import pytest

from agents.scenarios.document import read_document
from agents.scenarios.faults import Known, faults_of
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import check_folder, parse
from app.web.collector.commerce import canonical

KNOWN = Known({"email", "sms", "webhook"}, ("hello",), canonical, {"loyal"})
GOOD = """\
id: welcome
version: 1
title: Welcome
family: greeting
priority: 50
entry: {event: Subscribed}
steps:
  - message: {channel: email, template: hello}
"""
FAULTY = """\
id: welcome
version: 1
title: Welcome
family: greeting
priority: 50
reentry: sometimes
exit_on: either
goal: {event: Completed Order}
entry:
  event: subscribed
  segment: {leaves: loyl}
steps:
  - name: top
    delay: 1095d
  - wait: {for: {event: Product Added, when: {segment: royal}}, most: 3y}
  - split:
      - otherwise: []
      - {when: {orders: count}, steps: []}
  - message: {channel: emial, template: helo}
  - cascade:
      - {channel: email, template: hello}
      - {channel: sms, template: hello}
  - {delay: 1h, exit: no}
  - set: {}
  - tag: {}
  - until: {at: 25:00}
  - go: top
  - delay: 1h
  - jump: 3
"""
TOLD = [
    (6, "reentry: 'sometimes' is neither `once` nor `always` nor a time such as 30d"),
    (8, "goal.event: 'Completed Order' is never seen: the collector calls this event 'Order Completed'; write that"),
    (
        9,
        "entry: event and segment stand together; an entry has one of: event, absence, segment, date, catalogue, schedule",
    ),
    (10, "entry.event: 'subscribed' is neither a signal nor the name of an event"),
    (7, "exit_on: `either` ends it when a segment is left: its entry must be"),
    (11, "entry.segment.leaves: there is no segment 'loyl'; did you mean 'loyal'?"),
    (14, "steps 1.delay: '1095d' is longer than 400 days"),
    (15, "steps 2.wait.for.when.segment: there is no segment 'royal'; did you mean 'loyal'?"),
    (15, "steps 2.wait.most: '3y' is not a duration"),
    (17, "steps 3.split 1: `otherwise` is the last branch"),
    (18, "steps 3.split 2.when: `orders` needs what is asked of it"),
    (19, "steps 4.message.channel: there is no channel 'emial'; did you mean 'email'?"),
    (19, "steps 4.message.template: there is no template 'helo'; did you mean 'hello'?"),
    (21, "steps 5.cascade 1: wait: say how long to wait for a reaction before the next stage"),
    (23, "steps 6: delay and exit stand together: make them 2 steps"),
    (25, "steps 8.tag: say with `add` or `remove` which"),
    (24, "steps 7.set: between 1 and 10 of them, and there are none"),
    (26, "steps 9.until.at: put it in quotes, as '10:00'"),
    (27, "steps 10.go: leads back to 'top', and a cycle would never end"),
    (28, "steps 11: nobody comes here: the step before it is `go`"),
    (29, "steps 12: does nothing; a step has one of: delay, until, wait"),
    (29, "steps 12.jump: there is no such field"),
]


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "welcome.yaml").write_text(FAULTY)
    return check_folder(folder, KNOWN).faults


def told_of(document):
    """Every fault of a document, as it is told."""
    return [document.told(fault) for fault in faults_of(document.value, KNOWN)]


@pytest.mark.parametrize(("line", "text"), TOLD)
def test_each_fault_has_its_line_and_what_to_do(faults, line, text):
    assert [fault for fault in faults if fault.startswith(f"welcome.yaml:{line}: {text}")], "\n".join(faults)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ("[{go: nowhere}]", "no step has the name 'nowhere'"),
        ("[{name: a, go: a}]", "leads back to 'a'"),
        ("[]", "at least one|between 1"),
        ("[{experiment: {name: x, arms: [{share: 1}]}}]", "between 2 and 20"),
        ("[{experiment: {name: x, arms: [{share: 1}, {share: 0}]}}]", "between 1 and"),
        ("[{wait: {for: [], most: 1d}}]", "between 1 and 20"),
        ("[{wait: {for: {event: ordered}}}]", "`most` is missing"),
        ("[" + "{delay: 1h}, " * 201 + "]", "between 1 and 200"),
        ("[{message: {channel: [email, email], template: hello}}]", "several different ones"),
        ("[{set: {Name: 1}}]", "'Name' must be 1 to 64 of a-z"),
        ("[{set: {level: [1]}}]", "a list"),
        ("[{name: a, delay: 1h}, {name: a, delay: 1h}]", "two steps have the name 'a'"),
        ("[{show: {items: cart}, delay: 1h}]", "stands beside `cascade`"),
    ],
)
def test_steps_that_cannot_be_are_refused(steps, text):
    good = GOOD.splitlines()
    with pytest.raises(ScenarioError, match="(?s).*(" + text + ")"):
        parse("\n".join([*good[:6], f"steps: {steps}"]))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("{change: price_up}", "price_drop"),
        ("{change: price_drop, at_least: 100%}", "no share from 0% to 99%"),
        ("{change: price_drop, at_least: ten}", "no share from 0% to 99%"),
        ("{change: price_drop, of: []}", "at least one|at least 1|between 1"),
        ("{change: back_in_stock, at_least: 5%}", "leave it out"),
    ],
)
def test_an_entry_by_the_catalogue_that_cannot_be_is_refused(entry, text):
    good = GOOD.replace("{event: Subscribed}", f"{{catalogue: {entry}}}")
    with pytest.raises(ScenarioError, match="(?s)line 6.*(" + text + ")|(?s:.*)entry.catalogue(?s:.*)(" + text + ")"):
        parse(good)


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("{every: day}", "the field `at` is missing: a time of day such as '10:00'"),
        ("{every: day, at: 10:00}", "at: put it in quotes, as '10:00'"),
        ("{every: day, at: '24:00'}", "at: '24:00' is no time of day such as 10:00"),
        ("{every: day, at: noon}", "at: 'noon' is no time of day such as 10:00"),
        ("{every: year, at: '10:00'}", "every: 'year' is none of day, month, week"),
        (
            "{every: day, on: [mon], at: '10:00'}",
            "on: every day is on all of them: leave it out, or write `every: week`",
        ),
        ("{every: week, at: '10:00'}", "on: say on which days of the week, such as `on: [mon, thu]`"),
        ("{every: week, on: [], at: '10:00'}", "on: between 1 and 31 of them, and there are none"),
        ("{every: week, on: [mon, 3], at: '10:00'}", "on 2: days of the week are named: mon, tue"),
        (
            "{every: week, on: [monday], at: '10:00'}",
            "on 1: 'monday' is none of fri, last, mon, sat, sun, thu, tue, wed; did you mean 'mon'",
        ),
        ("{every: month, at: '10:00'}", "on: say on which days of the month, such as `on: [1, 15]`"),
        ("{every: month, on: [mon], at: '10:00'}", "on 1: days of a month are numbers from 1 to 28, or `last`"),
        (
            "{every: month, on: [1, 31], at: '10:00'}",
            "on 2: not every month has a day 31, February the least: write 28 or less",
        ),
        ("{every: month, on: [0], at: '10:00'}", "on 1: must be between 1 and 31, and is 0"),
        ("{every: day, at: '10:00', segment: loyl}", "segment: there is no segment 'loyl'; did you mean 'loyal'?"),
        ("{every: day, at: '10:00', zone: UTC}", "zone: there is no such field"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_its_line_and_advice(schedule, text):
    document = read_document(GOOD.replace("{event: Subscribed}", f"{{schedule: {schedule}}}"))
    told = told_of(document)
    assert len(told) == 1, told
    assert told[0].startswith("line 6: entry.schedule") and text in told[0]


@pytest.mark.parametrize(
    ("replenish", "text"),
    [
        ("{of: brand}", "of: 'brand' is none of category, product"),
        ("{ahead: soon}", "ahead: 'soon' is not a duration"),
        ("{of: product, ahead: 900d}", "ahead: '900d' is longer than 400 days"),
        ("{after: 3d}", "after: there is no such field"),
    ],
)
def test_a_prediction_that_cannot_be_is_refused_with_its_line_and_advice(replenish, text):
    document = read_document(GOOD.replace("{event: Subscribed}", f"{{replenish: {replenish}}}"))
    told = told_of(document)
    assert len(told) == 1, told
    assert told[0].startswith("line 6: entry.replenish") and text in told[0], told


def test_what_is_bought_again_has_journeys_of_its_own_already():
    good = GOOD.replace("{event: Subscribed}", "{replenish: {}}")
    with pytest.raises(ScenarioError, match="line 9: per: each product, or category"):
        parse(good + "per: product\n")
    assert parse(good).program.replenish.of == "product"


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        ("{days: 3}", "the field `at` is missing"),
        ("{at: [10:00]}", "at 1: put it in quotes, as '10:00'"),
        ("{at: ['10:00'], days: 15}", "days: must be between 1 and 14"),
        ("{at: ['10:00'], on: [today]}", "on 1: 'today' is none of"),
        ("{at: ['10:00'], book: 'javascript:x'}", "book: 'javascript:x' is no address such as /book"),
        ("{at: []}", "at: between 1 and 6 of them"),
    ],
)
def test_times_to_book_that_cannot_be_are_refused_with_their_line_and_advice(slots, text):
    document = read_document(GOOD.replace("template: hello}", f"template: hello, slots: {slots}}}"))
    told = told_of(document)
    assert len(told) == 1, told
    assert told[0].startswith("line 8: steps 1.message.slots") and text in told[0], told


def test_times_to_book_stand_beside_a_cascade_alone():
    document = read_document(GOOD + "  - {delay: 1d, slots: {at: ['10:00']}}\n")
    told = told_of(document)
    assert told == ["line 9: steps 2.slots: stands beside `cascade`; a message has it inside"]


def test_a_schedule_has_nothing_that_tells_its_journeys_apart_and_may_end_with_its_segment():
    good = GOOD.replace("{event: Subscribed}", "{schedule: {every: day, at: '10:00', segment: loyal}}")
    with pytest.raises(ScenarioError, match="line 9: per: a schedule tells of no product"):
        parse(good + "per: product\n")
    assert parse(good + "exit_on: segment\n").program.leaving == "segment_left:loyal"
    with pytest.raises(ScenarioError, match="or a schedule with a `segment`"):
        parse(good.replace(", segment: loyal", "") + "exit_on: segment\n")


@pytest.mark.parametrize("head", ["event", "absence", "segment", "date", "catalogue", "schedule"])
def test_an_entry_behind_whose_head_nothing_stands_is_refused(head):
    entry = f"\n  {head}:\n  when: {{orders: count, at_least: 1}}"
    document = read_document(GOOD.replace(" {event: Subscribed}", entry))
    told = told_of(document)
    assert told == [f"line 7: entry.{head}: nothing stands behind `{head}`: write what begins it, or take it out"]


def test_branches_within_branches_are_bounded():
    step = "{delay: 1h}"
    for _ in range(7):
        step = f"{{wait: {{for: {{event: ordered}}, most: 1d, else: [{step}]}}}}"
    with pytest.raises(ScenarioError, match="deeper than 6 levels"):
        parse("\n".join([*GOOD.splitlines()[:6], f"steps: [{step}]"]))


def test_steps_of_all_branches_together_are_bounded():
    branch = "{when: {cart: value, at_least: 1}, steps: [" + "{delay: 1h}, " * 60 + "]}"
    with pytest.raises(ScenarioError, match="at most 200 are allowed"):
        parse("\n".join([*GOOD.splitlines()[:6], f"steps: [{{split: [{', '.join([branch] * 4)}]}}]"]))


def test_an_absence_beside_steps_belongs_into_the_entry():
    with pytest.raises(ScenarioError, match="belongs into `entry`"):
        parse(GOOD + "absence: {of: [searched], for: 1h}\n")


def test_an_entry_without_steps_says_what_is_missing():
    with pytest.raises(ScenarioError, match="the field `steps` is missing"):
        parse(GOOD.split("steps:")[0])


def test_waits_are_divided_by_the_time_scale():
    steps = "steps: [{delay: 1h}, {wait: {for: {event: ordered}, most: 2h}}]"
    program = parse("\n".join([*GOOD.splitlines()[:6], steps]), time_scale=3600.0).program
    assert (program.steps[0].seconds, program.steps[1].most) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("alert", "told"),
    [
        ("{to: maria}", "alert: say with `text` or with `template`"),
        (
            "{text: Call, template: hello}",
            "alert: say with `text` or with `template` what the team is told, with one of them",
        ),
        ("{template: helo}", "alert.template: there is no template 'helo'; did you mean 'hello'?"),
        ("{text: Call, to: marya}", "alert.to: nobody of the team is 'marya'; did you mean 'maria'?"),
        ("{to: team}", "text"),
        ("{text: ''}", "text"),
        ("{text: Call, channel: slack}", "channel: there is no such field"),
    ],
)
def test_an_alert_says_something_to_somebody_of_the_team(alert, told):
    known = KNOWN._replace(team=("team", "head", "maria"))
    document = read_document(GOOD + f"  - alert: {alert}\n")
    faults = [document.told(fault) for fault in faults_of(document.value, known)]
    assert len(faults) == 1 and told in faults[0] and "line 9" in faults[0]
    assert faults_of(read_document(GOOD + "  - alert: {text: Call, to: maria}\n").value, known) == []
