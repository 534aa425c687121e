"""`boomerang console`."""

import argparse
import asyncio

HELP = "run the console (internal HTTP, port 8001)"


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """None: everything is a setting."""


def run(_args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    from app import logs
    from app.clock import SYSTEM
    from app.settings import load
    from app.web.console.app import serve

    settings = load()
    logs.set_up(settings.log_level, settings.log_format)
    asyncio.run(serve(settings, SYSTEM))
    return 0
