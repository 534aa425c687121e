"""`boomerang check`: settings, scenarios, templates, the team and chat sources, looked at without a server."""

import argparse
from pathlib import Path

from agents.scenarios.language import ScenarioError
from agents.scenarios.load import read_folder
from agents.team import TeamError, load_staff
from app.clock import SYSTEM, moment
from app.errors import CommandError
from app.settings import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", nargs="?", type=Path, help="folder of scenario files (default: BOOMERANG_SCENARIOS)")


def run(args: argparse.Namespace) -> int:
    """Check everything that can be checked without a server; the first fault ends it with status 1."""
    from app.web.chat.sources import load_sources
    from channels import CHANNELS
    from channels.examples import check_templates

    settings = load()
    folder = args.folder or settings.scenarios
    try:
        scenarios = read_folder(folder, time_scale=settings.time_scale, channels=CHANNELS)
        staff = load_staff(settings.team, moment(SYSTEM.now()).year, channels=CHANNELS)
    except (ScenarioError, TeamError) as error:
        raise CommandError(str(error)) from None
    faults = check_templates([(stage.channel, stage.template) for item in scenarios for stage in item.cascade])
    if faults:
        raise CommandError("; ".join(faults))
    sources = load_sources(settings.chats)
    for scenario in scenarios:
        print(f"{scenario.id} v{scenario.version}: {scenario.title}")
    print(f"{len(scenarios)} scenarios are fine")
    print(f"the team is fine: {staff.described}")
    if sources:
        number = sum(map(len, sources.values()))
        told = ", ".join(f"{provider} {len(found)}" for provider, found in sources.items())
        print(f"{number} chat sources are fine: {told}")
    return 0
