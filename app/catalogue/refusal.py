"""What is wrong with a feed as a whole, and with one of its offers. Pure."""

from typing import NamedTuple

from app.errors import CommandError


class FeedRefusedError(CommandError):
    """The feed cannot be taken; nothing of it was applied. The text says where, why, and what to do."""


class BadOfferError(ValueError):
    """One offer cannot be used. The others can."""


class Fault(NamedTuple):
    """A bad offer: the line it begins on, which offer of the feed it is (from 1), its id if it could be read, and why."""

    line: int
    number: int
    id: str
    why: str

    def __str__(self) -> str:
        """One line for a person."""
        name = f", id {self.id!r}" if self.id else ""
        return f"line {self.line}, offer {self.number}{name}: {self.why}"
