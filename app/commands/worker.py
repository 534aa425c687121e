"""`boomerang worker`: the engine's worker."""

import argparse

from app import metrics
from app.errors import CommandError
from app.settings import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: everything is a setting."""


def run(_args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT (status 0) or a failure (status 1)."""
    from agents.policy import PolicyError
    from agents.scenarios.language import ScenarioError
    from agents.team import TeamError
    from app.engine.run import run as run_app
    from app.engine.topology import engine_app

    settings = load()
    metrics.introduce("worker", settings.instance)
    try:
        return run_app(settings, settings.worker_port, lambda: engine_app(settings))
    except (ScenarioError, PolicyError, TeamError) as error:
        raise CommandError(str(error)) from None
