"""`boomerang doctor`: ask everything that is depended upon, and say what to do."""

import argparse
import asyncio
import logging

from app.errors import CommandError
from app.settings import Settings, load


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No options: everything is a setting."""


def run(_args: argparse.Namespace) -> int:
    """Print a line for each finding; status 1 when something is bad."""
    from app.commands.broker import with_broker

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # its errors come to us
    logging.getLogger("channels").addHandler(logging.NullHandler())
    settings = load()
    try:
        settings = with_broker(settings)
    except CommandError as error:
        print(f"bad   kafka: {error}")
        return 1
    bad = asyncio.run(_examine(settings))
    print(f"{bad} things are bad" if bad else "nothing is bad")
    return 1 if bad else 0


async def _examine(settings: Settings) -> int:
    from app.clock import SYSTEM
    from app.doctor import Verdict, findings

    bad = 0
    async for finding in findings(settings, SYSTEM):
        print(f"{finding.verdict:<5} {finding.what}: {finding.text}", flush=True)
        bad += finding.verdict is Verdict.BAD
    return bad
