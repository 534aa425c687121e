"""`boomerang chat-gateway`: reads the message gateways that do not call us."""

import argparse
import logging

from app import metrics, settings
from app.web.chat import process


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is a setting; there are no arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Read until the process is told to end. Raises CommandError."""
    del args
    values = settings.load()
    logging.basicConfig(level=values.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    metrics.introduce("chat-gateway", values.instance)
    process.run(values)
    return 0
