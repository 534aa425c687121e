"""Whether the topics have more partitions by now than we choose by: a repartition has begun, and our keys go to the wrong places."""

import logging
from collections.abc import Iterable
from typing import Any

METADATA_MS = 5_000
"""How old a producer's knowledge of the topics may be: so long after a repartition has begun, the collector refuses events."""

_log = logging.getLogger(__name__)


def outgrown(producer: Any, topics: Iterable[str], partitions: int) -> bool:
    """Look at what the producer knows of `topics`. Once true, only a start with the new number helps."""
    for topic in topics:
        known = producer.client.cluster.partitions_for_topic(topic)
        if known and len(known) != partitions:
            _log.error(
                "topic %s has %d partitions now: set BOOMERANG_PARTITIONS=%d and start the collector again; until then every "
                "event is answered with 503",
                topic,
                len(known),
                len(known),
            )
            return True
    return False
