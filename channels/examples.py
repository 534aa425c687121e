"""What templates are tried with before anything is sent. Pure but for reading the templates."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from app.clock import SYSTEM
from app.model.alert import Alert, Watch, Word
from app.model.chat import Speaker
from app.model.trigger import CONFIRMATION, Content, Trigger
from channels.alert import SIZES, TEMPLATE, card
from channels.render import ALERT, LOCALES, NAMES, OWN, SHORT, RenderError, Templates
from channels.whatsapp_template import read

EXAMPLE = Trigger(
    "0" * 32,
    "example",
    1,
    "customer",
    "anchor",
    0.0,
    0.0,
    0.0,
    [],
    {},
    msgspec.convert(
        {
            "name": "Anna",
            "category": "Shoes",
            "query": "red shoes",
            "results": 3,
            "value": 120.5,
            "currency": "EUR",
            "items": [
                {"product_id": "1", "name": "Red shoes", "price": 60.25, "quantity": 2, "url": "https://shop.example/1"}
            ],
            "slots": [1_768_291_200.0, 1_768_309_200.0, 1_768_377_600.0],
            "booking": "/book",
            "bonus": {"until": "2026-05-17", "worth": 300},
            "delivery": {"region": "Berlin", "free_from": 150, "currency": "EUR", "left": 29.5},
            "similar": [
                {"product_id": "2", "name": "Blue shoes", "price": 50, "image_url": "https://shop.example/2.jpg"}
            ],
        },
        type=Content,
    ),
    alert=Alert(
        "0" * 32,
        Watch.SILENT_CLIENT,
        "telegram:shop:1",
        "telegram",
        0.0,
        who="Anna",
        manager_name="Maria",
        url="https://shop.example/dialogs/1",
        words=[Word(Speaker.CLIENT, 0.0, "Is it in stock?"), Word(Speaker.MANAGER, 0.0, "It is.")],
        value=120.5,
        currency="EUR",
        note="she is looking at it again",
    ),
)
"""What every template is tried with before anything is sent."""


def example_of(name: str, locale: str) -> Trigger:
    """The example that template `name` is tried with."""
    if name == CONFIRMATION:
        return msgspec.structs.replace(
            EXAMPLE, locale=locale, marketing=False, confirm_until=1.0, alert=None, content=Content()
        )
    return msgspec.structs.replace(EXAMPLE, locale=locale)


def told_by(name: str, trigger: Trigger) -> Trigger:
    """The example as an alert that template `name` tells."""
    assert trigger.alert is not None, "the example has one"
    replace = msgspec.structs.replace
    return replace(trigger, alert=replace(trigger.alert, watch=None, dialog="", template=name))


def check_templates(
    wanted: Iterable[tuple[str, str]] = (), *, folders: Sequence[Path] = (), every: bool = True
) -> list[str]:
    """What is wrong with the templates of the folders (ours, if there are none): each is compiled and tried with an example.

    `wanted` are the (channel, template) pairs of the scenarios, which must exist besides ours. Unless `every` one is looked at, only those are.
    """
    templates, wanted = Templates(*folders, cpu=SYSTEM.cpu), list(wanted)
    named = {template for _, template in wanted}
    tried = {*NAMES, TEMPLATE, CONFIRMATION, *named} if every else named
    problems = templates.load(None if every else named)
    if problems:
        return problems
    for name in sorted(tried):
        for locale in LOCALES:
            trigger = example_of(name, locale)
            try:
                if templates.is_alert(name):
                    templates.told(told_by(name, trigger))
                    if not any(template == name and channel != ALERT for channel, template in wanted):
                        continue
                shown = card(trigger, locale, 1_800.0, "https://shop.example", change=None, ref="", size=SIZES[0])
                for channel in _channels_of(name, wanted):
                    card_of = shown if name == TEMPLATE else None
                    texts = templates.render(name, trigger, "https://shop.example/u/token", card_of, channel=channel)
                    problems += _unreadable(f"{locale}/{name}", channel, texts.text)
            except RenderError as error:
                problems.append(str(error))
    return problems


def _channels_of(name: str, wanted: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The channels that a template is tried for: those whose parts need not be there always, and those that ask for it."""
    if name in (TEMPLATE, CONFIRMATION):
        return ("email",)
    own = OWN if name in NAMES else {channel for channel, template in wanted if template == name and channel in OWN}
    return ("email", *SHORT, *own)


def _unreadable(name: str, channel: str, text: str) -> list[str]:
    """What is wrong with the lines that WhatsApp's channel reads."""
    if channel != "whatsapp":
        return []
    try:
        read(text)
    except ValueError as error:
        return [f"template {name} for WhatsApp: {error}"]
    return []
