"""When to try again. Pure: exponential back-off with full jitter, drawn from a hash of what is retried, so it can be replayed."""

from hashlib import blake2b

BASE = 10.0
"""Seconds: upper end of the first wait."""
LONGEST = 1800.0
"""Seconds: no wait of our own is longer."""
OBEYED = 24 * 3600.0
"""Seconds: a provider's `Retry-After` is obeyed up to here."""
ATTEMPTS = 8
"""Attempts that a message gets in all, beside those for which a provider named another time."""


def fraction(identity: str, attempt: int) -> float:
    """A number in [0, 1) that looks random and is always the same for the same arguments."""
    raw = blake2b(f"{identity}\x1f{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(raw, "big") / 2**64


def wait(
    identity: str, attempt: int, after: float | None = None, base: float = BASE, longest: float = LONGEST
) -> float:
    """Seconds to wait after the failed attempt number `attempt` (0 for the first).

    `after` is what the provider asked for: we wait that long at least, and a little more so that not everybody comes back
    at the same moment.
    """
    ceiling = min(longest, base * 2.0 ** min(attempt, 30))
    jitter = ceiling * fraction(identity, attempt)
    if after is None:
        return jitter
    return min(max(after, 0.0), OBEYED) + min(jitter, base)


def exhausted(attempt: int, next_at: float, expires_at: float) -> bool:
    """Whether no attempt follows: the failed one (0 for the first) was the last, or the message expires before the next."""
    return attempt + 1 >= ATTEMPTS or next_at > expires_at
