"""Every Kafka topic on one page: name, key, what it carries, how it is kept.

All topics have the same number of partitions and the same partitioner, so a customer has one partition number everywhere.
"""

from functools import lru_cache
from struct import unpack_from
from typing import NamedTuple

DAY_MS = 86_400_000


class Topic(NamedTuple):
    """A topic without its prefix. `retention_ms` of -1 keeps records for ever; `compact` keeps the last of each key."""

    name: str
    key: str
    carries: str
    retention_ms: int
    compact: bool = False
    max_message_bytes: int = 1 << 20


CLICKSTREAM = Topic("clickstream", "customer", "events as JSON (app/model/event.py)", 7 * DAY_MS)
CHAT = Topic("chat", "customer", "dialogs' events and the team's commands as JSON (app/model/chat.py)", 7 * DAY_MS)
RECEIPTS = Topic("receipts", "customer", "what became of messages (app/model/receipt.py)", 7 * DAY_MS)
LINKS = Topic("links", "customer", "moves of state between partitions (app/model/link.py)", 7 * DAY_MS, False, 17 << 20)
OUTBOX = Topic(
    "outbox", "customer", "triggers, cancellations, alerts' changes (app/model/trigger.py)", 7 * DAY_MS, False, 17 << 20
)
JOURNAL = Topic("journal", "customer", "decisions with reasons (app/model/journal.py)", 7 * DAY_MS, False, 17 << 20)
DEAD_LETTERS = Topic("dead-letters", "origin", "bad input (app/model/journal.py)", 30 * DAY_MS)
DIALOGS = Topic("dialogs", "dialog", "open dialogs as the board shows them (app/model/alert.py)", -1, True)
CATALOGUE = Topic("catalogue", "product", "what the shop sells, as rows (app/model/catalogue.py)", -1, True)
CATALOGUE_CHANGES = Topic(
    "catalogue-changes", "import", "sets of changes of price and stock (app/model/catalogue.py)", 7 * DAY_MS
)
CUSTOMERS_CHANGELOG = Topic("customers-changelog", "customer", "state of the behaviour agent", -1, True, 17 << 20)
LEDGER_CHANGELOG = Topic("ledger-changelog", "message", "state of the delivery agent", -1, True, 17 << 20)

ALL = (
    CLICKSTREAM,
    CHAT,
    RECEIPTS,
    LINKS,
    OUTBOX,
    JOURNAL,
    DEAD_LETTERS,
    DIALOGS,
    CATALOGUE,
    CATALOGUE_CHANGES,
    CUSTOMERS_CHANGELOG,
    LEDGER_CHANGELOG,
)

CUSTOMERS_INPUTS = (CLICKSTREAM.name, CHAT.name, RECEIPTS.name, LINKS.name)
"""What the behaviour agent reads into its table."""
LEDGER_INPUTS = (OUTBOX.name, RECEIPTS.name)
"""What the delivery agent reads into its table."""


def _murmur2(data: bytes) -> int:
    """Kafka's default key hash, as an unsigned 32-bit integer (org.apache.kafka.common.utils.Utils.murmur2)."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    h = 0x9747B28C ^ length
    words = length >> 2
    for word in unpack_from(f"<{words}I", data):
        k = word * m & mask
        h = (h * m ^ (k ^ k >> 24) * m) & mask
    rest = data[words << 2 :]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = h * m & mask
    h ^= h >> 13
    h = h * m & mask
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a customer key: the same as a Java producer's default."""
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions
