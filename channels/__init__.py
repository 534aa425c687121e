"""How we speak: policy, rendering, the sending pipeline, one file per channel."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`channels.CHANNELS`, without loading every provider's library for those who only want the pure parts."""
    if name == "CHANNELS":
        from channels.registry import CHANNELS

        return CHANNELS
    raise AttributeError(name)
