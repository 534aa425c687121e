"""`boomerang check`: settings, scenarios, templates, the team and chat sources, looked at without a server."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from agents.scenarios.language import ScenarioError
from agents.scenarios.load import read_folder, templates_of
from agents.team import TeamError, load_staff, load_team
from app.clock import SYSTEM, moment
from app.errors import CommandError
from app.model.team import Team
from app.settings import load
from channels.channel import Channel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", nargs="?", type=Path, help="folder of scenario files (default: BOOMERANG_SCENARIOS)")


def run(args: argparse.Namespace) -> int:
    """Check everything that can be checked without a server; the first fault ends it with status 1."""
    from agents.delivery.factory import channels_of, template_folders
    from app.web.chat.sources import load_sources
    from app.web.console.passwords import users
    from channels import CHANNELS
    from channels.examples import check_templates

    settings = load()
    folder = args.folder or settings.scenarios
    try:
        scenarios = read_folder(folder, time_scale=settings.time_scale, channels=CHANNELS)
        staff = load_staff(settings.team, moment(SYSTEM.now()).year, channels=CHANNELS)
    except (ScenarioError, TeamError) as error:
        raise CommandError(str(error)) from None
    wanted = [pair for item in scenarios for pair in templates_of(item)]
    faults = check_templates(wanted, folders=template_folders(settings))
    if faults:
        raise CommandError("; ".join(faults))
    unset = _unset(load_team(settings.team), channels_of(settings, SYSTEM))
    users(settings.console_users)
    sources = load_sources(settings.chats)
    for scenario in scenarios:
        print(f"{scenario.id} v{scenario.version}: {scenario.title}")
    print(f"{len(scenarios)} scenarios are fine")
    print(f"the team is fine: {staff.described}")
    for channel in unset:
        print(f"but {channel} is not set up: alerts go past addresses of the team there; see docs/alerts.md")
    if sources:
        number = sum(map(len, sources.values()))
        told = ", ".join(f"{provider} {len(found)}" for provider, found in sources.items())
        print(f"{number} chat sources are fine: {told}")
    return 0


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
