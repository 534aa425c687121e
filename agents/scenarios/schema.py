"""The JSON Schema of the scenario language, from its structs, so that editors complete and explain it. Pure.

`boomerang check --schema` prints it; docs/scenario.schema.json holds it, and a test holds that fresh.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from agents.conditions.language import ConditionFile
from agents.conditions.schema import CONDITION, of_condition
from agents.scenarios.dialogs import Case, DialogScenarioFile, Escalate, Told, Watched, When
from agents.scenarios.language import Absence, GoalFile, OutageFile, ScenarioFile, Show, StageFile, Unless
from agents.scenarios.steps import (
    AlertFile,
    Arm,
    AudienceFile,
    Awaited,
    Branch,
    CatalogueEntry,
    DateEntry,
    Entry,
    Experiment,
    HookFile,
    JourneyFile,
    JourneyGoal,
    MessageFile,
    ReplenishEntry,
    ScheduleEntry,
    SegmentEntry,
    SlotsFile,
    TagFile,
    Until,
    WaitFor,
)
from agents.scenarios.steps import StepFile as StepsFile
from tables.apply import HANDLERS
from tables.signals import SIGNALS

_COMMON = {
    "id": "Its name in ids, metrics and the journal. It never changes.",
    "version": "Goes up when the meaning changes; part of every trigger's id.",
    "title": "One line for people.",
    "max_lateness": "A trigger later than this is dropped with the reason `too_late`.",
    "send_within": "A message that is not handed over within this time after firing is dropped with the reason `expired`.",
}
_HEADER = {
    "cap": "One marketing message per channel within this time, all scenarios together; in place of the policy's caps.",
    "topic": "What it is about: consent may be given, and caps may count, by topic.",
    "quiet": "In quiet hours: hold it until they are over, drop it, or ignore them. Else as the policy says.",
    "control": "Per cent of the customers who get nothing of it, to see what it brings.",
    "marketing": "Needs consent and counts for the cap; `false` for transactional messages.",
    "outage": "`recheck`: decide as of now; `fire`: as if it had been on time; `skip_after`: drop what is later than that.",
    "upgrade": "What has begun under a former version: `move`, it goes on under this one; `finish`, it ends as it began (`old/ID.VERSION.yaml`).",
}
MEANING: Mapping[type, Mapping[str, str]] = {
    ScenarioFile: _COMMON
    | _HEADER
    | {
        "family": "Of one family at most one scenario fires in one silence.",
        "priority": "When several of a family come due together the highest fires, the others are outranked.",
        "absence": "What happened and what did not follow.",
        "show": "What the message is about.",
        "cascade": "Stages, cheapest first.",
        "unless": "What holds the scenario back when it comes due.",
        "reentry": "The same customer again after this time.",
        "when": "A condition for arming it, and, but for what it asks of the event, for firing it; docs/segments.md has the words.",
        "stopped": "`true`: fires no more, and what has fired goes no further; what is armed stays so.",
        "goal": "What it is for: counted after it fired, of recipients and the control group alike.",
    },
    Absence: {
        "of": "Signals, or names of events, that start the wait. Another one starts it anew.",
        "for": "How long nothing must follow.",
        "without": "Signals or events that end it, unless they are older than what they would end.",
        "after": "`event`: counted from the last one; `leaving`: from when the customer was last seen on the site.",
    },
    Unless: {
        "order_within": "Not if there was an order within this time.",
        "in_dialog": "Held back for this time after the last word of an open dialog; `0s`: not. Marketing only.",
    },
    Show: {
        "items": "What is shown. Where nothing of it is left the scenario does not fire.",
        "most": "How many items at the most.",
        "similar": "How many further products are added; none that he has bought, or that cannot be had.",
        "similar_by": "`category`: the cheapest that others looked at; `viewed`, `bought`: what is looked at, or bought, together with the items, then those.",
        "prefer": "What comes first: `discounted` or the expiring `bonus` for who loves discounts, and similar products near his `average` order.",
        "within": "Only what happened in this time before leaving; a cart is shown whole.",
    },
    StageFile: {
        "channel": "`email`, `sms`, ...; of several the first that can be used is.",
        "template": "What is said.",
        "wait": "How long to wait for a reaction once the message was handed over; every stage but the last has it.",
        "reaction": "What makes the next stage needless. `goal`: only what ends the scenario.",
    },
    ConditionFile: CONDITION,
    GoalFile: {
        "event": "An event's name; `ordered`: an order.",
        "within": "So long after the scenario fired the goal counts; left out: as the policy says.",
    },
    JourneyFile: _COMMON
    | _HEADER
    | {
        "family": "Of one family a customer is in one scenario at a time.",
        "priority": "Of two of a family the higher one takes the place of the lower one.",
        "entry": "How a customer enters.",
        "steps": "What follows, one after another.",
        "goal": "What the scenario is for.",
        "exit_on": "What ends it before its last step: the goal, leaving the segment of the entry, either, or nothing (`end`).",
        "per": "Journeys go side by side, one for each product, category, order or query of the event that begins them.",
        "reentry": "The same customer again: `once`, `always`, or after this time.",
        "unless": "What holds an entry, or a message, back.",
        "stopped": "`true`: nobody enters any more, and nobody is written to.",
    },
    CatalogueEntry: {
        "change": "What an import of the catalogue finds.",
        "of": "Who hears of it: those who `viewed` the product and did not take it since, have it on the wish list (`wished`), or in the `cart`.",
        "at_least": "How far the price must have fallen, such as 10%.",
        "within": "How long ago it may have been viewed.",
    },
    ReplenishEntry: {
        "of": "Whether the same `product` is meant, or anything of the same `category`.",
        "ahead": "How long before the predicted moment.",
    },
    Entry: {
        "event": "A signal, or the name of an event.",
        "absence": "What happened and what did not follow.",
        "segment": "Entering a segment, or leaving it.",
        "date": "A date of the customer, such as his birthday.",
        "catalogue": "A price drop, or goods that are back, for those who know the product.",
        "schedule": "Days and a time of day, for all customers or those of a segment.",
        "replenish": "Before the customer is likely to buy the same again, by how often he did.",
        "when": "A condition, which may ask for properties of the event too.",
    },
    ScheduleEntry: {
        "every": "How often: each `day`, or on some days of each `week` or `month`.",
        "at": "The time of day by the shop's clock: the `zone` of the policy.",
        "on": "Weekdays of `week`; of `month` days from 1 to 28, or `last`.",
        "segment": "Whose customers; left out: all.",
    },
    SegmentEntry: {"enters": "The segment that the customer comes into.", "leaves": "The segment that he leaves."},
    DateEntry: {
        "trait": "The trait that holds the date, as 1990-05-17 or 05-17.",
        "offset": "Days before (-7d) or after (+7d) it.",
        "at": "The time of day where the customer lives.",
        "yearly": "Whether it comes every year.",
    },
    JourneyGoal: {
        "event": "A signal, or the name of an event.",
        "when": "A condition, which may ask for properties of the event too.",
        "within": "Only what happens within this time after the customer entered counts.",
    },
    StepsFile: {
        "delay": "Wait for this time.",
        "until": "Wait for an hour, and a weekday, where the customer lives.",
        "wait": "Wait for an event, at the most so long.",
        "split": "Branches; the first whose condition holds is taken.",
        "experiment": "Arms by chance.",
        "message": "Say something.",
        "cascade": "Say something over several channels, cheapest first; the next step comes when that is over.",
        "webhook": "Call the shop's webhook for customers; needs no consent.",
        "set": "Set traits of the customer.",
        "alert": "Tell the sales team of the customer: once, by the addresses of the team file; the customer hears nothing.",
        "tag": "Put tags on the customer, or take them off.",
        "audience": "Add the customer to an audience, or remove him.",
        "go": "Go on at the step of this name, further down.",
        "exit": "The journey is over; the word goes to the journal.",
        "show": "Beside `cascade`: what it is about. Else what began the journey.",
        "slots": "Beside `cascade`: times that its messages offer to book.",
        "name": "What `go` leads to.",
    },
    Until: {"at": "The time of day.", "on": "The weekdays; every day, where there are none."},
    WaitFor: {
        "for": "The event, or several, of which the first one counts.",
        "most": "How long, up to 400 days.",
        "else": "Steps for those of whom none came.",
    },
    Awaited: {
        "event": "A signal, or the name of an event.",
        "when": "A condition, which may ask for properties of the event too.",
        "then": "Steps that follow it.",
    },
    Branch: {
        "when": "For whom.",
        "steps": "What they get.",
        "otherwise": "In place of the two: steps for the rest.",
    },
    Experiment: {"name": "Its name in the journal.", "arms": "Two or more."},
    Arm: {"share": "How many customers, in proportion to the shares of the others.", "steps": "What they get."},
    MessageFile: {
        "channel": "`email`, `sms`, ...; of several the first that can be used is.",
        "template": "What is said.",
        "show": "What it is about. Else what began the journey.",
        "slots": "Times that it offers to book.",
    },
    SlotsFile: {
        "days": "On how many days, from the day after the message on.",
        "at": "The times of day, where the customer lives.",
        "on": "The weekdays that count; every day, where there are none.",
        "book": "The address at which a time is booked; `at` and `product_id` are added to it.",
    },
    AlertFile: {
        "text": "What it says, in one line.",
        "template": "A template of the shop for what it says, instead of `text`: `NAME.alert.txt.j2`.",
        "to": "`team`, `head`, or the id of a member of the team file.",
    },
    HookFile: {"template": "What is said."},
    TagFile: {"add": "Tags to put on.", "remove": "Tags to take off."},
    AudienceFile: {"add": "The audience to add to.", "remove": "The audience to remove from."},
    OutageFile: {"skip_after": "Drop what an outage has delayed by more than this."},
    DialogScenarioFile: _COMMON
    | {
        "dialog": "What is watched in a dialog, and for how long.",
        "cascade": "Channels of the team; the first with an address is used.",
        "priority": "0 to 2; a client who comes back to the site adds to it.",
        "escalate": "What follows when nobody takes the alert.",
    },
    Watched: {
        "watch": "What is watched.",
        "for": "How long it may last, in business time.",
        "cases": "Other waits for some; the first that is so counts.",
    },
    Case: {"when": "All that is given must be so.", "for": "How long it may last then, in business time."},
    When: {
        "cart_value": "The client's cart is worth at least this.",
        "manager": "The dialog is this manager's: a member's id, or the manager's id at the provider.",
        "tag": "The dialog has this tag.",
    },
    Told: {"channel": "A channel of the team.", "template": "What is said; `alert` comes with the product."},
    Escalate: {
        "after": "After so much business time the next in line is told, at last the head.",
        "reassign": "Whether the dialog then is the next one's, as far as alerts and the board are concerned.",
    },
}
"""What each field means, in a sentence; docs/scenarios.md and docs/dialogs.md tell more."""


def scenario_schema(channels: list[str]) -> dict[str, Any]:
    """The schema of one scenario file; `channels` are the known ones."""
    (site, dialogs, journeys), parts = msgspec.json.schema_components(
        (ScenarioFile, DialogScenarioFile, JourneyFile), ref_template="#/$defs/{name}"
    )
    for struct, meanings in MEANING.items():
        fields = parts[struct.__name__]["properties"]
        for name, text in meanings.items():
            fields[name] = {"description": text, **fields[name]}
    heard = [*SIGNALS, *HANDLERS]
    for name in ("of", "without"):
        items = parts["Absence"]["properties"][name]["items"]
        items["anyOf"] = [{"enum": heard}, {"pattern": "^([^a-z]|segment_(entered|left):[a-z0-9_]+$)"}]
    for name in ("Awaited", "Entry", "JourneyGoal"):
        event = parts[name]["properties"]["event"]
        event["anyOf"] = [{"enum": heard}, {"pattern": "^[^a-z]"}, *([{"type": "null"}] if name == "Entry" else ())]
    _channel(parts, channels)
    of_condition(parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of Boomerang",
        "if": {"required": ["dialog"]},
        "then": dialogs,
        "else": {"if": {"anyOf": [{"required": ["steps"]}, {"required": ["entry"]}]}, "then": journeys, "else": site},
        "$defs": parts,
    }


def _channel(parts: dict[str, Any], channels: list[str]) -> None:
    parts["Told"]["properties"]["channel"]["enum"] = channels
    one = {"type": "string", "enum": channels}
    several = {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}
    for part in ("StageFile", "MessageFile"):
        description = parts[part]["properties"]["channel"]["description"]
        parts[part]["properties"]["channel"] = {"description": description, "anyOf": [one, several]}
