"""`boomerang check`: settings, scenarios and templates, looked at without a server."""

import argparse
from pathlib import Path

from agents.scenarios.language import ScenarioError
from agents.scenarios.load import load_folder
from app.errors import CommandError
from app.settings import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", nargs="?", type=Path, help="folder of scenario files (default: BOOMERANG_SCENARIOS)")


def run(args: argparse.Namespace) -> int:
    """Check everything that can be checked without a server; the first fault ends it with status 1."""
    from channels import CHANNELS
    from channels.render import check_templates

    settings = load()
    folder = args.folder or settings.scenarios
    try:
        scenarios = load_folder(folder, time_scale=settings.time_scale, channels=CHANNELS)
    except ScenarioError as error:
        raise CommandError(str(error)) from None
    faults = check_templates([(stage.channel, stage.template) for item in scenarios for stage in item.cascade])
    if faults:
        raise CommandError("; ".join(faults))
    for scenario in scenarios:
        print(f"{scenario.id} v{scenario.version}: {scenario.title}")
    print(f"{len(scenarios)} scenarios are fine")
    return 0
