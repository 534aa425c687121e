"""Where customers stand in scenarios with steps: from the core's lines, through real SQLite and PostgreSQL, to page and JSON."""

from app.model.journal import JournalLine
from app.model.policy import Policy
from app.model.reasons import Reason
from app.under_way import Seen, journeys_of
from app.web.console.journeys_page import journeys
from tests.agents.test_policy import shop
from tests.app.test_console import EVIL, client, clock, console, journal
from tests.app.test_journal_store import NOW, place, postgres, store, url
from tests.driver import DAY, HOUR

__all__ = ("client", "clock", "console", "postgres", "store", "url")
COURSE = """
id: course
version: 1
title: A course
family: courses
priority: 10
entry: {event: Subscribed}
goal: {event: Lesson Booked, within: 90d}
steps:
  - delay: 1d
  - wait: {for: {event: Answered}, most: 3d}
"""


def line(at, customer, reason, scenario="course", due=0.0, **detail):
    return JournalLine(at, customer, reason, scenario, due=due, detail=detail)


def waits(at, customer, step, due):
    return line(at, customer, Reason.JOURNEY_WAITS, due=due, step=step)


def seen(engine):
    """The journal of the core as the store would give it: newest first."""
    return [Seen(number, one.customer, one) for number, one in enumerate(engine.journal)][::-1]


def test_customers_are_counted_at_the_step_where_they_stand_and_once_they_have_left_by_reason():
    engine = shop(COURSE, policy=Policy(quiet=None, caps=()))
    for name in ("anna", "ben", "carl"):
        engine.event("Subscribed", name)
        engine.wait(HOUR)
    engine.event("Lesson Booked", "carl")
    engine.wait(DAY - 2.5 * HOUR)
    now = engine.clock.now()
    (one,) = journeys_of(seen(engine), now)
    assert (one.scenario, one.begun, one.under_way) == ("course", 3, 2)
    assert one.exits == {"goal_reached": 1}
    ben, anna = sorted(one.steps, key=lambda step: step.soonest)
    assert ben.customers == anna.customers == 1 and ben.step != anna.step
    assert now < ben.soonest == ben.latest <= now + HOUR
    assert anna.soonest > now + 2 * DAY
    engine.wait(4 * DAY)
    (one,) = journeys_of(seen(engine), engine.clock.now())
    assert (one.under_way, one.steps, one.exits) == (0, [], {"journey_ended": 2, "goal_reached": 1})


def test_a_goal_that_ends_nothing_is_no_end():
    engine = shop(COURSE + "exit_on: end\n", policy=Policy(quiet=None, caps=()))
    engine.event("Subscribed", "anna")
    engine.event("Lesson Booked", "anna")
    (one,) = journeys_of(seen(engine), engine.clock.now())
    assert (one.under_way, one.exits) == (1, {})


def test_reasons_that_are_not_about_a_journey_end_none(store):
    lines = [
        line(NOW, "anna", Reason.JOURNEY_BEGUN),
        waits(NOW + 1, "anna", "3", NOW + HOUR),
        line(NOW + 2, "anna", Reason.OUTRANKED, by="cart"),
        line(NOW + 3, "anna", Reason.GOAL_REACHED, goal="Order Completed"),
        line(NOW + 4, "anna", Reason.ARMED, "cart", began=NOW),
        waits(NOW + 5, "ben", "3", NOW + 2 * HOUR),
        waits(NOW + 6, "carl", "10", NOW + 2 * HOUR),
        waits(NOW + 7, "dora", "2", NOW - HOUR),
        line(NOW - 40 * DAY, "ed", Reason.JOURNEY_BEGUN),
    ]
    store.insert([place(one, offset) for offset, one in enumerate(lines)])
    (one,) = journeys_of(store.journeys(NOW - 30 * DAY), NOW + 60)
    assert [(step.step, step.customers) for step in one.steps] == [("", 1), ("3", 2), ("10", 1)]
    assert (one.steps[1].soonest, one.steps[1].latest) == (NOW + HOUR, NOW + 2 * HOUR)
    assert (one.begun, one.exits) == (1, {})


def test_a_visitor_who_became_a_user_stands_once(store):
    lines = [
        waits(NOW, "anon:a", "1", NOW + DAY),
        line(NOW + 1, "anna", Reason.LINKED, "", alias="anon:a", owner="anna"),
        waits(NOW + 2, "anna", "2", NOW + 2 * DAY),
    ]
    store.insert([place(one, offset) for offset, one in enumerate(lines)])
    (one,) = journeys_of(store.journeys(NOW - 1), NOW + 3)
    assert [(step.step, step.customers) for step in one.steps] == [("2", 1)]


async def test_the_page_and_the_json_tell_it_and_name_nobody(client, console, clock):
    now = clock.now()
    journal(
        console,
        line(now - 60, "anna@shop.example", Reason.JOURNEY_BEGUN),
        waits(now - 50, "anna@shop.example", "2", now + 26 * HOUR),
        line(now - 40, "ben", Reason.JOURNEY_BEGUN, EVIL),
        line(now - 30, "ben", Reason.JOURNEY_EXITED, EVIL, began=now - 40, step="1", why="enough"),
    )
    answer = await client.get("/journeys")
    assert answer.status_code == 200 and "anna" not in answer.text and "ben" not in answer.text
    assert EVIL not in answer.text and "in 1 d 2 h" in answer.text and "journey exited 1" in answer.text
    assert 'aria-current="page">Journeys' in answer.text
    data = (await client.get("/api/journeys?days=7")).json()
    found = {one["scenario"]: one for one in data["scenarios"]}
    assert found["course"]["under_way"] == 1 and found["course"]["steps"][0]["step"] == "2"
    assert found[EVIL]["exits"] == {"journey_exited": 1}
    page = (await client.get("/customers/anna@shop.example")).text
    assert 'href="/journeys#journeys-course"' in page
    assert (await client.get("/journeys?days=x")).status_code == 400


async def test_no_journey_is_told_in_words(client):
    assert "No journey has begun or ended in this time." in (await client.get("/journeys")).text


def test_a_step_and_a_scenario_are_escaped():
    found = journeys_of([Seen(1, "anna", line(NOW, "anna", Reason.JOURNEY_WAITS, EVIL, NOW + 90, step=EVIL))], NOW)
    html = journeys(found, 30, NOW).decode()
    assert EVIL not in html
    assert journeys_of([Seen(1, "anna", line(NOW, "anna", Reason.JOURNEY_BEGUN))], NOW)[0].begun == 1
