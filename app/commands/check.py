"""`boomerang check`: settings, scenarios, templates, the team and chat sources, looked at without a server."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from agents.dialogs.staff import Staff
from agents.policy import PolicyError, described, load_policy, unknown_names
from agents.scenarios.faults import Known
from agents.scenarios.hints import hints
from agents.scenarios.language import Scenario, ScenarioError
from agents.scenarios.load import Checked, alerts_of, check_folder, templates_of, told
from agents.scenarios.moved import misled
from agents.segments.load import check_segments
from agents.team import TeamError, load_staff, load_team
from app.clock import SYSTEM, moment
from app.errors import CommandError
from app.model.team import Team
from app.settings import Settings, load
from channels.channel import Channel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", nargs="?", type=Path, help="folder of scenario files (default: BOOMERANG_SCENARIOS)")
    parser.add_argument("--strict", action="store_true", help="hints count as faults too")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of scenario files, for editors, and check nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Check everything that can be checked without a server. Every fault is a line on stderr; then the status is 1."""
    from agents.delivery.channels import channels_of
    from agents.delivery.tracked import check_tracking
    from agents.scenarios.schema import scenario_schema
    from app.web.chat.sources import load_sources
    from app.web.console.passwords import users
    from app.web.receipts.secrets import receipt_secrets
    from channels import CHANNELS

    if args.schema:
        print(json.dumps(scenario_schema(sorted(CHANNELS)), indent=1))
        return 0
    settings = load()
    checked, faults, notes = _scenarios(args.folder or settings.scenarios, settings)
    try:
        policy = load_policy(settings.policy)
        staff = load_staff(settings.team, moment(SYSTEM.now()).year, channels=CHANNELS)
    except (PolicyError, ScenarioError, TeamError) as error:
        raise _with(faults, str(error)) from None
    faults += unknown_names(policy, checked.scenarios) if not checked.faults else []
    if faults or (args.strict and notes):
        raise _with(faults + (notes if args.strict else []))
    unset = _unset(load_team(settings.team), channels_of(settings, SYSTEM))
    users(settings.console_users)
    sources = load_sources(settings.chats)
    receipt_secrets(settings)
    check_tracking(settings)
    print(f"the policy is fine: {described(policy)}")
    print(f"the team is fine: {staff.described}")
    for channel in unset:
        print(f"but {channel} is not set up: alerts go past addresses of the team there; see docs/alerts.md")
    if sources:
        number = sum(map(len, sources.values()))
        named = ", ".join(f"{provider} {len(found)}" for provider, found in sources.items())
        print(f"{number} chat sources are fine: {named}")
    return 0


def _scenarios(folder: Path, settings: Settings) -> tuple[Checked, list[str], list[str]]:
    """What the folder holds, faults and hints of scenarios and templates, a line each. Prints what is fine."""
    from agents.delivery.channels import template_folders
    from app.web.collector.commerce import SPEC, canonical
    from channels import CHANNELS
    from channels.examples import check_templates
    from channels.render import ALERT, TEMPLATES, names_in

    folders = template_folders(settings)
    groups = check_segments(settings.segments, time_scale=settings.time_scale)
    names = None if groups.faults else groups.found.names
    known = Known(CHANNELS, names_in(folders), canonical, names, _team(settings))
    checked = check_folder(folder, known, time_scale=settings.time_scale)
    every = [*checked.scenarios, *(item.scenario for item in checked.former)]
    wanted = [pair for scenario in every for pair in templates_of(scenario)]
    wanted += [(ALERT, name) for scenario in every for name in alerts_of(scenario)]
    own = folders != (TEMPLATES,)  # a shop's file may stand in for a part of any of ours
    faults = [*groups.faults, *checked.faults, *check_templates(wanted, folders=folders, every=own)]
    notes = _hints(checked, SPEC)
    for note in notes:
        print(f"hint: {note}", file=sys.stderr)
    if not faults:
        for scenario in checked.scenarios:
            print(f"{scenario.id} v{scenario.version}: {scenario.title}")
        for item in checked.former:
            print(f"{item.scenario.id} v{item.scenario.version}: until what has begun under it has ended")
        print(f"{len(checked.scenarios)} scenarios are fine")
        print(f"{len(groups.found.segments)} segments are fine")
    return checked, faults, notes


def _team(settings: Settings) -> tuple[str, ...] | None:
    """Whom alerts may go to; None where the team file has a fault, which is told by itself."""
    try:
        return Staff(load_team(settings.team)).names
    except TeamError:
        return None


def _hints(checked: Checked, events: frozenset[str]) -> list[str]:
    found = [(item, item.scenario) for item in checked.found]
    site = [scenario for _, scenario in found if isinstance(scenario, Scenario)]
    former = [item.scenario for item in checked.former if isinstance(item.scenario, Scenario)]
    return [
        told(item.path, item.document.told(hint))
        for item, scenario in found
        if isinstance(scenario, Scenario)
        for hint in (
            *hints(scenario, site, events),
            *(hint for old in former if old.id == scenario.id for hint in misled(old, scenario)),
        )
    ]


def _with(faults: list[str], last: str = "") -> CommandError:
    """What ends the command: the faults, a line each."""
    lines = [*faults, last] if last else faults
    if len(lines) == 1:
        return CommandError(lines[0])
    return CommandError("\n".join([f"{len(lines)} faults", *lines]))


def _unset(team: Team, channels: Mapping[str, Channel]) -> list[str]:
    """Channels of the team's addresses that are not set up. Raises CommandError for an address that its channel cannot use."""
    unset = set()
    for whose, addresses in (("the team", team.addresses), *((member.id, member.addresses) for member in team.members)):
        for name, address in addresses.items():
            if name not in channels:
                unset.add(name)
            elif channels[name].usable(address):
                raise CommandError(f"addresses of {whose}: {name}: {channels[name].usable(address)}")
    return sorted(unset)
