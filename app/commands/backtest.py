"""`boomerang backtest SCENARIO --events FILE|topic`: the same core over history, and not one message."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from agents.dialogs.staff import Staff
from agents.policy import PolicyError, load_policy
from agents.scenarios.language import Scenario, ScenarioError
from agents.scenarios.load import AnyScenario, load_file, read_folder
from agents.segments.language import SegmentSet
from agents.segments.load import needed_segments
from agents.team import TeamError, load_team
from app.clock import SYSTEM
from app.codec import decode_glance
from app.commands.explain import moment_of
from app.commands.replay import feed_core, progress
from app.errors import CommandError, UsageError
from app.explain import full_time
from app.masking import mask
from app.model.event import Glance
from app.model.policy import Policy
from app.model.reasons import Reason
from app.replay.backtest import ENDINGS, Backtest
from app.replay.core import CoreReplay
from app.replay.sources import Document, read
from app.settings import Settings, load
from app.web.collector.eventtime import lenient

TOPIC = "topic"

FIGURES = ("armed", "began", "moved", "fired", "stages", "cost")
"""What stands first; only scenarios with steps begin."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("scenario", help="id of a scenario of BOOMERANG_SCENARIOS, or a file that stands in for it")
    parser.add_argument(
        "--events", required=True, help="a file as for `boomerang replay`, or the word topic: what clickstream holds"
    )
    parser.add_argument("--from", dest="since", default="", metavar="TIME", help="count decisions from then on only")
    parser.add_argument("--to", dest="until", default="", metavar="TIME", help="leave out events after it")
    parser.add_argument("--against", type=Path, metavar="FILE", help="another version of the scenario, shown beside")
    parser.add_argument("--addresses", action="store_true", help="give each visitor a made-up address and consent")
    parser.add_argument("--samples", type=int, default=5, help="triggers that are shown (default 5)")
    parser.add_argument("--json", action="store_true", help="figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Run it, once for each version."""
    settings = load()
    if args.samples < 0:
        raise UsageError("--samples cannot be negative")
    try:
        others = read_folder(settings.scenarios)
        first = (
            _site(load_file(Path(args.scenario)))
            if args.scenario.endswith((".yaml", ".yml"))
            else _named(args.scenario, others)
        )
        versions = [first] if args.against is None else [first, _site(load_file(args.against))]
        policy = load_policy(settings.policy)
        asking = [item for item in (*others, *versions) if isinstance(item, Scenario)]
        segments = needed_segments(asking, settings.segments)
    except (ScenarioError, PolicyError) as error:
        raise CommandError(str(error)) from None
    site = [item for item in others if isinstance(item, Scenario)]
    found = [
        _one(
            args,
            settings,
            [other for other in site if other.id not in {v.id for v in versions}] + [version],
            policy,
            segments,
        )
        for version in versions
    ]
    if args.json:
        print(json.dumps([_figures(test, version) for test, version in zip(found, versions, strict=True)], indent=1))
    else:
        _tell(found, versions)
    return 0


def _named(name: str, scenarios: list[AnyScenario]) -> Scenario:
    for scenario in scenarios:
        if scenario.id == name:
            return _site(scenario)
    raise CommandError(f"there is no scenario {name!r}; there are: {', '.join(item.id for item in scenarios)}")


def _site(scenario: AnyScenario) -> Scenario:
    if isinstance(scenario, Scenario):
        if scenario.program is not None and scenario.program.change is not None:
            raise CommandError(
                f"{scenario.id} begins on a change of the catalogue; recorded events of the site say nothing of it. Its test file can "
                "play one (`boomerang test`)"
            )
        return scenario
    raise CommandError(f"{scenario.id} is a scenario of dialogs; recorded events of the site say nothing of it")


def _staff(settings: Settings) -> Staff:
    """The sales team, which alerts of journeys go to. Raises CommandError."""
    try:
        return Staff(load_team(settings.team))
    except TeamError as error:
        raise CommandError(str(error)) from None


def _one(
    args: argparse.Namespace, settings: Settings, scenarios: list[Scenario], policy: Policy, segments: SegmentSet
) -> Backtest:
    since = moment_of(args.since, "--from") if args.since else 0.0
    until = moment_of(args.until, "--to") if args.until else float("inf")
    if until < since:
        raise UsageError("--to lies before --from: nothing would be counted")
    test = Backtest(
        scenarios,
        policy,
        partitions=settings.partitions,
        locale=settings.locale,
        since=since,
        samples=args.samples,
        segments=segments,
        staff=_staff(settings),
    )
    began = SYSTEM.cpu()
    with progress(args.events) as advance:
        if args.events == TOPIC:
            total, refused = asyncio.run(_feed_topic(test.replay, settings, until, advance))
        else:
            events = _until(read(Path(args.events), addresses=args.addresses), until)
            total, refused = feed_core(test.replay, events, advance)
        test.replay.flush()
    spent = SYSTEM.cpu() - began
    print(
        f"{total:,} events, {refused} refused, {total / max(spent, 1e-9):,.0f} a second of CPU; journal {test.digest}",
        file=sys.stderr,
    )
    return test


def _until(events: Iterator[Document], until: float) -> Iterator[Document]:
    for event in events:
        if (lenient(event.get("originalTimestamp") or event.get("timestamp")) or 0.0) <= until:
            yield event


async def _feed_topic(
    replay: CoreReplay, settings: Settings, until: float, advance: Callable[[int], None]
) -> tuple[int, int]:
    """What topic `clickstream` holds, up to its end as it is now. Records that are no events count as refused, as the worker puts them aside."""
    from app.commands.broker import with_broker
    from app.engine.reading import reader, records_by_time
    from app.topics import CLICKSTREAM

    total = refused = 0
    looked: dict[int, Glance] = {}

    def happened(record: Any) -> float | None:
        """When a record's event happened, epoch seconds; None: it is no event."""
        try:
            told = looked[record.partition] = decode_glance(record.value or b"")
            return told.timestamp.timestamp()
        except (msgspec.MsgspecError, ValueError):
            return None

    settings = with_broker(settings)
    topic = settings.topic_prefix + CLICKSTREAM.name
    async with AsyncExitStack() as stack:
        consumers = [await stack.enter_async_context(reader(settings)) for _ in range(settings.partitions)]
        async for at, record in records_by_time(consumers, topic, happened):
            if not record.key:
                continue
            total += 1
            advance(1)
            if at is None:
                refused += 1
            elif at <= until:
                replay.feed(
                    record.key.decode(), record.value, at, looked[record.partition]
                )  # the last of its partition
    replay.finish()
    return total, refused


# -- what is told


def _figures(test: Backtest, scenario: Scenario) -> dict[str, Any]:
    name = scenario.id
    return {
        "scenario": name,
        "version": scenario.version,
        "armed": test.count(name, Reason.ARMED),
        "began": test.count(name, Reason.JOURNEY_BEGUN),
        "moved": test.count(name, Reason.MOVED),
        "ended": {reason.value: n for reason in ENDINGS if (n := test.count(name, reason))},
        "fired": test.count(name, Reason.FIRED),
        "stages": test.count(name, Reason.NEXT_STAGE),
        "refused": test.refused(name),
        "cost": round(test.cost[name], 4),
        "overlaps": test.overlaps(name),
        "journal": test.digest,
    }


def _tell(found: list[Backtest], versions: list[Scenario]) -> None:
    figures = [_figures(test, version) for test, version in zip(found, versions, strict=True)]
    rows: list[tuple[str, list[Any]]] = [("", [f"{item['scenario']} v{item['version']}" for item in figures])]
    shown = [name for name in FIGURES if name != "began" or any(item["began"] for item in figures)]
    rows += [(name, [item[name] for item in figures]) for name in shown]
    for part, words in (("ended", "ended"), ("refused", "refused"), ("overlaps", "also fired")):
        for name in dict.fromkeys(name for item in figures for name in item[part]):
            rows.append((f"{words}: {name}", [item[part].get(name, 0) for item in figures]))
    for name, values in rows:
        print(f"{name:34}" + "".join(f"{value:>28}" for value in values))
    for test, version in zip(found, versions, strict=True):
        for trigger in test.samples.get(version.id, ()):
            items = ", ".join(line.name or line.product_id for line in trigger.content.items[:3])
            print(
                f"  {full_time(trigger.fired_at)}  {mask(trigger.customer)}  v{version.version}  {items or trigger.content.query}"
            )
