"""How an agent and its fenced table are attached to an app."""

from collections.abc import Callable
from typing import Any

from app.clock import Clock
from app.engine.base import EngineApp
from tables.bundle import Bundle
from tables.step import Step
from tables.store import FencedTable


def agent(app: EngineApp, name: str, table: FencedTable, work: Callable[[Step, Bundle], None]) -> Any:
    """Attach an agent that applies every bundle of the table's inputs to the table."""

    async def apply(stream: Any) -> None:
        # acknowledged by hand, after the commit: Faust acknowledges an event even when the agent raised on it
        async for event in stream.noack().events():
            await table.submit(event, work)

    return app.agent(app.source(*table.inputs), name=name)(apply)


def table(app: EngineApp, clock: Clock, **options: Any) -> FencedTable:
    """A fenced table of the app."""
    settings = app.settings
    return app.add_table(
        FencedTable(
            app,
            prefix=app.topic_prefix,
            partitions=settings.partitions,
            options=app.kafka_options,
            clock=clock,
            **options,
        )
    )
