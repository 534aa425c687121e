"""Rows that stay unpacked from step to step: for history, where nothing has to be durable and every step is a success. Pure.

Unpacked, a customer costs some times the memory; so beyond a bound those that were unpacked first are packed again.
"""

from collections.abc import Callable, Container
from itertools import islice
from typing import Any

from tables.packed import PackedRows

MOST_OPEN = 50_000
"""Rows of one partition that stay unpacked; some 2 KB each."""


class OpenRows(PackedRows):
    """Like `PackedRows`, but a change is kept at once, whether the step has touched its row or not."""

    __slots__ = ("_most",)

    def __init__(
        self, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], *, most: int = MOST_OPEN
    ) -> None:
        """`most`: rows that stay unpacked."""
        super().__init__(encode, decode)
        self._most = most

    def pack(self, key: str) -> bytes | None:  # noqa: ARG002
        """Nothing: nobody reads the bytes of a row that is open."""
        return None

    def fold(self, changed: Container[str]) -> None:
        """Nothing: rows stay open."""

    def close(self) -> None:
        """The step is over. Where too many rows are open, the half that was opened first is packed."""
        self.looked_at = 0
        self.counted.clear()
        self._made.clear()
        if len(self.opened) <= self._most:
            return
        for key in list(islice(self.opened, len(self.opened) - self._most // 2)):
            super().pack(key)
            del self.opened[key]

    def forget(self, key: str) -> None:
        """Nothing: what a decision that failed has changed so far stays."""
