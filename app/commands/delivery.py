"""`boomerang delivery`: the sender and the journal's sink."""

import argparse

from app import metrics
from app.settings import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: everything is a setting."""


def run(_args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT (status 0) or a failure (status 1)."""
    from app.engine.run import run as run_app
    from app.engine.topology import delivery_app

    settings = load()
    metrics.introduce("delivery", settings.instance)
    settings.data.mkdir(parents=True, exist_ok=True)
    return run_app(settings, settings.delivery_port, lambda: delivery_app(settings))
