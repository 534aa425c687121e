"""`boomerang scenarios`: the pack of ready scenarios, and how a shop takes one. None of them runs until it stands in the shop's own folder."""

import argparse
import shutil
from pathlib import Path

from app.errors import CommandError
from app.settings import load

PACK = Path(__file__).parents[1] / "pack"
BUILT_IN = Path(__file__).parents[1] / "scenarios"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("action", nargs="?", choices=("list", "add"), default="list", help="what to do (default: list)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios of the pack to copy, with their tests")
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="folder of scenario files (default: BOOMERANG_SCENARIOS)"
    )


def run(args: argparse.Namespace) -> int:
    """List the pack, or copy some of it. Raises CommandError."""
    folder = args.to or load().scenarios
    if args.action == "list":
        for line in table(folder):
            print(line)
        return 0
    if not args.names:
        raise CommandError(f"name what to add: {', '.join(names())}")
    for name in args.names:
        for path in add(name, folder):
            print(f"{path} written")
    print(f"`boomerang test --scenarios {folder}` plays its tests; edit it as you like")
    return 0


def names() -> list[str]:
    """The scenarios of the pack."""
    return sorted(path.stem for path in PACK.glob("*.yaml"))


def table(folder: Path) -> list[str]:
    """One line for each scenario of the pack: its name, its title, and whether the folder has it."""
    from agents.scenarios.faults import Known
    from agents.scenarios.load import check_files

    found = check_files([PACK / f"{name}.yaml" for name in names()], Known()).scenarios
    width = max(len(item.id) for item in found)
    has = {path.stem for path in folder.glob("*.y*ml")}
    return [f"{item.id.ljust(width)}  {'in use' if item.id in has else '-':6}  {item.title}" for item in found]


def add(name: str, folder: Path) -> list[Path]:
    """Copy a scenario and its tests. Returns what was written. Raises CommandError; then nothing was."""
    if name not in names():
        raise CommandError(f"the pack has no scenario {name!r}; there are: {', '.join(names())}")
    if folder.resolve() == BUILT_IN.resolve():
        raise CommandError(
            f"{folder} comes with the product and is replaced with it: copy it to a folder of your own, set BOOMERANG_SCENARIOS to that, "
            "and add the scenario there"
        )
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder; set BOOMERANG_SCENARIOS, or name one with --to")
    pairs = [
        (PACK / f"{name}.yaml", folder / f"{name}.yaml"),
        (PACK / "tests" / f"{name}.yaml", folder / "tests" / f"{name}.yaml"),
    ]
    taken = [str(to) for _, to in pairs if to.exists()]
    if taken:
        raise CommandError(f"{' and '.join(taken)} stands there already, and may have been changed: nothing was copied")
    try:
        for source, to in pairs:
            to.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, to)
    except OSError as error:
        raise CommandError(f"cannot write {error.filename}: {error.strerror}") from None
    return [to for _, to in pairs]
