"""`boomerang install-embedded`: fetch the embedded Kafka once, verified, and prepare its quick start."""

import argparse
import sys
from pathlib import Path

from app.embedded import jars, kafka, training
from app.settings import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--relock", action="store_true", help="resolve the versions anew and write kafka.lock")


def run(args: argparse.Namespace) -> int:
    """Fetch what is missing; quick when nothing is."""
    if args.relock:
        jars.LOCK.write_text(jars.resolve_lock())
        print(f"wrote {jars.LOCK.name}: {len(jars.read_lock())} jars")
        return 0
    installation = kafka.Installation(load().cache)
    if not installation.complete:
        _fetch(installation.folder)
    if not installation.aot_cache.exists():
        print("Preparing Kafka's quick start (once, about 15 s) ...", flush=True)
        problem = training.make_aot_cache(installation)
        print(f"Kafka will start more slowly: {problem}" if problem else "Kafka is installed.", flush=True)
    return 0


def _fetch(folder: Path) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("Fetching Apache Kafka"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("", total=None)
        jars.fetch(
            folder,
            jars.read_lock(),
            jars.download_with_jgo,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
