"""Reads the policy file: YAML -> typed structs -> `Policy`. The edge; raises PolicyError that says where and what to do."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from agents.free_delivery import DeliveryFile, compiled, faults
from agents.scenarios.document import MOST_BYTES, convert, read_document, read_yaml, refused
from agents.scenarios.language import Scenario, ScenarioError, duration
from agents.scenarios.load import AnyScenario
from agents.scenarios.shape import nearest
from app.model.policy import CHANNELS, TOUCHES, AttributionWindow, Cap, Confirm, Policy, Quiet, Which
from channels.control import LARGEST
from channels.quiet import zone

MOST_CAPS = 50
MOST_MESSAGES = 20
"""The largest `most`: so many messages are remembered of a customer."""
LONGEST_CAP = 31
"""Days that a cap may look back."""
_DAYS = re.compile(r"(\d{1,2}) days?")
SOONEST = 600.0
"""Seconds that the link of a confirmation works at the least: mails take their time."""
_CONFIRMED = re.compile(r"email(:[a-z0-9_]{1,32})?")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

Names = str | tuple[str, ...]


class PolicyError(ValueError):
    """A policy file that cannot be used; the text says where and what to do."""


class WhichFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Some messages. What is left out says nothing: `{}` is all of them."""

    channel: Names = ()
    topic: Names = ()
    scenario: Names = ()


class CapFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One cap. `channel`, `topic` and `scenario` say at once what counts and what obeys."""

    most: int
    per: str
    channel: Names = ()
    topic: Names = ()
    scenario: Names = ()
    counts: WhichFile | None = None
    obeys: WhichFile | None = None
    transactional: bool = False


class QuietFile(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from"}, frozen=True):
    """Quiet hours of the customer's day."""

    start: str
    until: str
    channels: tuple[str, ...] = ()
    then: Literal["hold", "drop"] = "hold"


class ConfirmFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Double opt-in: which consents, how long the link works, and how seldom an address is asked."""

    consents: Names
    within: str = "2d"
    again: str = "30d"


class AttributionFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """When an order may be owed to a message over a channel."""

    by: str = "sent"
    within: str = "5d"


class PolicyFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The file, durations as text and shares in per cent."""

    zone: str = "UTC"
    cities: dict[str, str] = {}
    caps: tuple[CapFile, ...] = ()
    quiet: QuietFile | None = None
    control: float = 0.0
    goal_within: str = "7d"
    currency: str = ""
    prices: dict[str, float] = {}
    sms_units: int = 1
    budgets: dict[str, float] = {}
    confirm: ConfirmFile | None = None
    attribution: dict[str, AttributionFile] = {}
    delivery: tuple[DeliveryFile, ...] = ()


def load_policy(path: Path, *, time_scale: float = 1.0) -> Policy:
    """The policy of a file. Raises PolicyError naming the file and what to do."""
    try:
        return parse_policy(_told(path.read_bytes()[: MOST_BYTES + 1].decode()), time_scale=time_scale)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}; BOOMERANG_POLICY names the policy's file") from None
    except (UnicodeDecodeError, ScenarioError, PolicyError) as error:
        raise PolicyError(f"{path.name}: {error}") from None


def _told(text: str) -> str:
    """The text itself: a file that somebody is just writing, or a full disk, must not end caps and quiet hours."""
    if not text.strip():
        raise PolicyError("the file is empty; a policy without any rule is written {}")
    return text


def parse_policy(text: str, *, time_scale: float = 1.0) -> Policy:
    """The policy of a YAML text. Raises ScenarioError or PolicyError without the file's name."""
    if len(text) > MOST_BYTES:
        raise PolicyError(f"longer than {MOST_BYTES // 1024} KiB")
    file = convert(text, read_yaml(text) or {}, PolicyFile)
    _check(file)
    found = tuple(faults(file.delivery))
    if found:
        raise refused(read_document(text), found)
    return Policy(
        zone=file.zone,
        cities={city.strip().lower(): name for city, name in file.cities.items()},
        caps=tuple(_cap(cap, f"caps: cap {number}: ", time_scale) for number, cap in enumerate(file.caps, 1)),
        quiet=None if file.quiet is None else _quiet(file.quiet),
        control=file.control / 100.0,
        goal_within=duration(file.goal_within) / time_scale,
        currency=file.currency,
        prices=file.prices,
        sms_units=file.sms_units,
        budgets=file.budgets,
        confirm=None if file.confirm is None else _confirm(file.confirm, time_scale),
        attribution=_attribution(file.attribution, time_scale),
        delivery=compiled(file.delivery),
    )


def _check(file: PolicyFile) -> None:
    def need(condition: bool, text: str) -> None:
        if not condition:
            raise PolicyError(text)

    for where, name in (("zone", file.zone), *((f"cities: {city}", name) for city, name in file.cities.items())):
        need(zone(name) is not None, f"{where}: there is no time zone {name!r}; write one such as Europe/Moscow")
    need(len(file.caps) <= MOST_CAPS, f"caps: at most {MOST_CAPS}")
    need(0 <= file.control <= LARGEST * 100, f"control: between 0 and {LARGEST * 100:.0f} per cent of all customers")
    need(all(price >= 0 for price in file.prices.values()), "prices: none can be below 0")
    need(all(most >= 0 for most in file.budgets.values()), "budgets: none can be below 0")
    need(1 <= file.sms_units <= 10, "sms_units: between 1 and 10 segments")
    need(len(file.currency) <= 8, "currency: as RUB or EUR")
    named = [("prices", name) for name in file.prices] + [("attribution", name) for name in file.attribution]
    named += [("quiet.channels", name) for name in (file.quiet.channels if file.quiet is not None else ())]
    for number, cap in enumerate(file.caps, 1):
        parts = (cap.channel, *(part.channel for part in (cap.counts, cap.obeys) if part is not None))
        named += [(f"caps: cap {number}", name) for part in parts for name in _names(part)]
    for where, name in named:
        if name not in CHANNELS:
            raise PolicyError(f"{where}: there is no channel {name!r}; there are: {', '.join(CHANNELS)}")


def _cap(file: CapFile, where: str, time_scale: float) -> Cap:
    if not 1 <= file.most <= MOST_MESSAGES:
        raise PolicyError(f"{where}most: between 1 and {MOST_MESSAGES} messages")
    both = WhichFile(file.channel, file.topic, file.scenario)
    if both != WhichFile() and file.counts is not None and file.obeys is not None:
        raise PolicyError(f"{where}`counts` and `obeys` say it all: leave channel, topic and scenario out")
    counts, obeys = _which(file.counts or both), _which(file.obeys or both)
    match = _DAYS.fullmatch(file.per.strip())
    days = int(match[1]) if match is not None else 0
    seconds = 0.0 if match is not None else duration(file.per)
    if not 0 < (days or seconds / 86_400.0) <= LONGEST_CAP:
        raise PolicyError(
            f"{where}per: {file.per!r}: write 16h or 7d for a time, 1 day or 7 days for calendar days of the customer, up to {LONGEST_CAP}"
        )
    return Cap(file.most, seconds / time_scale, days, counts, obeys, file.transactional)


def _confirm(file: ConfirmFile, time_scale: float) -> Confirm:
    names = _names(file.consents)
    if not names:
        raise PolicyError("confirm.consents: name at least one, such as email; leave `confirm` out where none needs it")
    for name in names:
        if _CONFIRMED.fullmatch(name) is None:
            raise PolicyError(
                f"confirm.consents: {name!r}: write email, or email:news for one topic; over other channels nobody is asked by a mail"
            )
    within, again = duration(file.within), duration(file.again)
    if not SOONEST <= within <= again:
        raise PolicyError("confirm: `within` is at least 10m, and `again` at least as long as `within`")
    return Confirm(frozenset(names), within / time_scale, again / time_scale)


def _attribution(file: dict[str, AttributionFile], time_scale: float) -> dict[str, AttributionWindow]:
    """The windows of all channels; one that the file leaves out keeps its own."""
    found = {
        channel: msgspec.structs.replace(window, within=window.within / time_scale)
        for channel, window in Policy().attribution.items()
    }
    for channel, window in file.items():
        within = duration(window.within)
        if window.by not in TOUCHES:
            raise PolicyError(f"attribution.{channel}.by: {window.by!r}: write one of {', '.join(TOUCHES)}")
        if within > LONGEST_CAP * 86_400.0:
            raise PolicyError(f"attribution.{channel}.within: up to {LONGEST_CAP}d: so long messages are remembered")
        found[channel] = AttributionWindow(window.by, within / time_scale)
    return found


def _which(file: WhichFile) -> Which:
    return Which(*(frozenset(_names(part)) for part in (file.channel, file.topic, file.scenario)))


def _names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _quiet(file: QuietFile) -> Quiet:
    start, end = _minute(file.start, "from"), _minute(file.until, "until")
    if start == end:
        raise PolicyError("quiet: `from` and `until` are the same; leave `quiet` out where there are no quiet hours")
    return Quiet(start, end, frozenset(file.channels), file.then == "drop")


def _minute(text: str, name: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise PolicyError(f'quiet.{name}: {text!r} is no time of the day; write it in quotes, as "21:00"')
    return int(match[1]) * 60 + int(match[2])


def unknown_names(policy: Policy, scenarios: Iterable[AnyScenario]) -> list[str]:
    """Scenarios and topics that the policy names and that there are not, a line each: it would say nothing of them."""
    known = {item.id: item for item in scenarios}
    topics = {item.topic for item in known.values() if isinstance(item, Scenario)}
    parts = [part for cap in policy.caps for part in (cap.counts, cap.obeys)]
    named = {*policy.budgets, *(name for part in parts for name in part.scenarios)} - {"*"}
    told = {name for part in parts for name in part.topics}
    if policy.confirm is not None:
        told |= {topic for name in policy.confirm.consents if (topic := name.partition(":")[2])}
    return [
        f"policy: there is no scenario {name!r}{nearest(name, known) or '; there are: ' + ', '.join(sorted(known))}"
        for name in sorted(named - set(known))
    ] + [
        f"policy: no scenario has the topic {name!r}; write `topic: {name}` into its file"
        for name in sorted(told - topics)
    ]


def described(policy: Policy) -> str:
    """The policy in a few words."""
    quiet, words = policy.quiet, [f"{len(policy.caps)} caps"]
    if quiet is not None:
        start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (quiet.start, quiet.end))
        words.append(f"quiet from {start} until {end}")
    if policy.confirm is not None:
        words.append(f"consent to be confirmed: {', '.join(sorted(policy.confirm.consents))}")
    if policy.control:
        words.append(f"{policy.control:.1%} of the customers get nothing")
    return ", ".join(words)
