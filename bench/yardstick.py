"""How quick the machine is just now: what decoding a typed event of 290 bytes costs. Figures of two days can be compared by it.

`REFERENCE` is what it cost on the machine on which the figures that shaped the engine were measured. A machine whose cores are
shared gives a higher one, and all CPU figures of that hour are higher, roughly by that factor: programs that miss the caches more suffer more.
"""

import time
from statistics import median

import msgspec

from app.model.event import Event, Properties

REFERENCE = 0.57
"""Microseconds."""
ROUNDS, TIMES = 15, 10_000


def sample():
    """An event of about 290 bytes."""
    event = {
        "type": "track", "event": "Product Viewed", "messageId": "m-0123456789abcdef", "anonymousId": "a-0123456789abcdef",
        "timestamp": "2026-01-01T12:00:00.000Z", "source": "browser",
        "properties": {"product_id": "p-123456", "category": "shoes.winter", "price": 4990.0, "currency": "RUB",
                       "name": "Winter shoes"},
    }  # fmt: skip
    return msgspec.json.encode(event)


def measure():
    """Microseconds of CPU for one event, the median of some rounds; about half a second in all."""
    raw, decode = sample(), msgspec.json.Decoder(Event).decode
    assert decode(raw).properties == Properties(
        "p-123456", "Winter shoes", 4990.0, category="shoes.winter", currency="RUB"
    )
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            decode(raw)
        found.append((time.process_time() - began) / TIMES * 1e6)
    return median(found)


def at_reference(unit, value, yardstick):
    """A figure of CPU (`us`, or things a second and core) as the reference machine would have it; None for others."""
    if unit.strip() == "us":
        return value * REFERENCE / yardstick
    return value * yardstick / REFERENCE if unit == "/s" else None
