"""`boomerang test [FILE...]`: play the tests of scenarios over the core, in milliseconds and without a server."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from app.errors import CommandError

MOST_TOLD = 12
"""Lines of the journal that are told with a difference: the newest."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="files of tests (default: all in the folder `tests` beside the scenarios)",
    )
    parser.add_argument("--scenarios", type=Path, help="folder of scenario files (default: BOOMERANG_SCENARIOS)")
    parser.add_argument("-k", dest="word", default="", help="only tests whose name contains this")


def run(args: argparse.Namespace) -> int:
    """Play them. Each difference is told on stderr; then the status is 1."""
    from agents.policy import PolicyError, load_policy
    from agents.scenarios.language import Scenario, ScenarioError
    from agents.scenarios.load import read_folder
    from agents.segments.load import needed_segments
    from app.settings import load
    from app.trial.play import play
    from app.trial.read import read_trial

    settings = load()
    folder = args.scenarios or settings.scenarios
    try:
        scenarios = read_folder(folder)
        policy = load_policy(settings.policy)
        site = [item for item in scenarios if isinstance(item, Scenario)]
        segments = needed_segments(site, settings.segments)
        trials = [read_trial(path, [item.id for item in scenarios]) for path in _files(args.files, folder)]
    except (ScenarioError, PolicyError) as error:
        raise CommandError(str(error)) from None
    played = failed = 0
    for trial in trials:
        number = before = failed
        for test, difference in play(trial, scenarios, policy, args.word, segments):
            played += 1
            number += 1
            if difference is not None:
                failed += 1
                print(f"{trial.path.name}:{difference.line}: {test.name}: {difference.text}", file=sys.stderr)
                _tell(difference.story)
        number -= before
        print(f"{trial.path.name}: {number} played" + (f", {failed - before} failed" if failed > before else ""))
    if not played:
        raise CommandError(f"no test is called like {args.word!r}")
    if failed:
        raise CommandError(f"{failed} of {played} tests failed")
    print(f"{played} tests passed")
    return 0


def _files(files: list[Path], folder: Path) -> list[Path]:
    found = files or sorted((folder / "tests").glob("*.y*ml"))
    if not found:
        raise CommandError(f"{folder / 'tests'}: no tests (*.yaml) here; docs/scenarios.md shows how to write one")
    return found


def _tell(story: Iterable[str]) -> None:
    lines = list(story)
    if len(lines) > MOST_TOLD:
        print(f"    ... {len(lines) - MOST_TOLD} lines before", file=sys.stderr)
    for line in lines[-MOST_TOLD:]:
        print(f"    {line}", file=sys.stderr)
