"""What the collector tells of traced journeys: from the request with an event to Kafka's acknowledgement."""

from collections.abc import Iterable

from app.tracing import COLLECTED, Journeys, Span
from app.web.collector.normalise import Accepted


def collected(told: Journeys, events: Iterable[Accepted], label: str, began: float, ended: float) -> None:
    """Events that were acknowledged at `ended`; `label` is the kind of the request that brought them at `began` (epoch seconds)."""
    for event in events:
        if told.wants(event.message_id):
            name = f"collect {label}"
            attributes = {"boomerang.event": event.name[:100]}
            told.tell(Span(name, "SERVER", event.message_id, (COLLECTED,), (), began, max(began, ended), attributes))
