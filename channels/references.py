"""What a short name stands for, kept in Redis for some days: a provider's id of a message, the code of a short link.

The value is a signed token of ours, so that whoever can write to Redis can forge nothing with it. Lost, a provider's receipt is of a
message that nobody knows, and a short link leads to the shop's start page.
"""

from app.redis_client import UNANSWERED
from channels.resting_redis import RestingRedis

PROVIDER_ID, SHORT_LINK = "of", "link"
"""Kinds of names."""
RETURNED = "mail"
"""Provider of the names that are codes of return paths (docs/channels/email.md)."""
KEEP = {PROVIDER_ID: 7 * 86_400, SHORT_LINK: 30 * 86_400}
"""Kind -> seconds that a name is known."""
LONGEST_NAME = 160
LONGEST_VALUE = 4_096
HOLIDAY = 2.0
"""Seconds without asking after Redis did not answer."""


class Away(Exception):  # noqa: N818 - a state, not a programming error
    """Redis does not answer now."""


class References(RestingRedis):
    """Names and what they stand for."""

    holiday = HOLIDAY
    loss = "names of messages are not kept now"

    async def remember(self, kind: str, name: str, value: str) -> bool:
        """Whether the name is known from now on. One that is too long is not kept."""
        if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE or self._resting():
            return False
        try:
            await self._redis.set(self._key(kind, name), value, ex=KEEP[kind])
        except UNANSWERED as error:
            self._failed(error)
            return False
        return True

    async def find(self, kind: str, name: str) -> str:
        """What a name stands for; "" for one that is not known. Raises Away."""
        if len(name) > LONGEST_NAME:
            return ""
        if self._resting():
            raise Away
        try:
            return str(await self._redis.get(self._key(kind, name)) or "")
        except UNANSWERED as error:
            self._failed(error)
            raise Away from None

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}:{name}"
