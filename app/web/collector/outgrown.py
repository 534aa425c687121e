"""Whether the topics have more partitions by now than we choose by: a repartition has begun, and our keys go to the wrong places."""

import logging
from collections.abc import Collection, Iterable
from typing import Any

METADATA_MS = 5_000
"""How old a client's knowledge of the topics may be: so long after a repartition has begun, nothing is taken any more."""

_log = logging.getLogger(__name__)


def what_to_do(topic: str, known: Collection[int] | None, partitions: int) -> str:
    """What to do when the partitions `known` of a topic are not as many as we choose by; empty when they are, or nothing is known."""
    if not known or len(known) == partitions:
        return ""
    return f"topic {topic} has {len(known)} partitions now: set BOOMERANG_PARTITIONS={len(known)} and start this process again"


def outgrown(producer: Any, topics: Iterable[str], partitions: int) -> bool:
    """Look at what the producer knows of `topics`. Once true, only a start with the new number helps."""
    for topic in topics:
        told = what_to_do(topic, producer.client.cluster.partitions_for_topic(topic), partitions)
        if told:
            _log.error("%s; until then nothing is taken", told)
            return True
    return False
