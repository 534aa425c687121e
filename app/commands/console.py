"""`boomerang console`."""

import argparse
import asyncio
import logging

HELP = "run the console (internal HTTP, port 8001)"


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """None: everything is a setting."""


def run(_args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    from app.clock import SYSTEM
    from app.settings import load
    from app.web.console.app import serve

    settings = load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells every command
    asyncio.run(serve(settings, SYSTEM))
    return 0
