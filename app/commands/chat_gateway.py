"""`boomerang chat-gateway`: reads the message gateways that do not call us."""

import argparse

from app import logs, metrics, settings
from app.web.chat import process


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is a setting; there are no arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Read until the process is told to end. Raises CommandError."""
    del args
    values = settings.load()
    logs.set_up(values.log_level, values.log_format)
    metrics.introduce("chat-gateway", values.instance)
    process.run(values)
    return 0
