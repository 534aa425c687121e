"""Control groups: who gets nothing, so that one can see what messages bring. Pure; the same customer is always in or always out."""

from hashlib import blake2b

LARGEST = 0.15
"""Share of all customers that the common group may have."""


def is_member(group: str, key: str, share: float) -> bool:
    """Whether the customer `key` is in the group of a scenario (`group`; "" is the common one) that has this share of all.

    A larger share keeps those who were in already.
    """
    if share <= 0.0:
        return False
    raw = blake2b(f"control\x1f{group}\x1f{key}".encode(), digest_size=8).digest()
    return int.from_bytes(raw, "big") < share * 2**64
