"""`boomerang collector`: the public HTTP side."""

import argparse
import logging

from app import metrics, settings
from app.web.collector import app as collector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is a setting; there are no arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Serve until the process is told to end. Raises CommandError."""
    del args
    values = settings.load()
    logging.basicConfig(level=values.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    metrics.introduce("collector", values.instance)
    collector.run(values)
    return 0
