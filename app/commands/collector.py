"""`boomerang collector`: the public HTTP side."""

import argparse

from app import logs, metrics, settings
from app.web.collector import app as collector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is a setting; there are no arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Serve until the process is told to end. Raises CommandError."""
    del args
    values = settings.load()
    logs.set_up(values.log_level, values.log_format)
    metrics.introduce("collector", values.instance)
    collector.run(values)
    return 0
