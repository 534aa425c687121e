"""Incoming webhooks of chat servers: what those of Slack and Mattermost have in common. A name stands for each secret address."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from app.model.alert import AlertState
from channels.channel import Answer, Irreversible, Rejected, Rendered, Sent
from channels.egress import Egress, Reply, refused, unusable
from channels.over_egress import OneUnit, OverEgress
from channels.pace import Pace, Pacing

ANSWERED = frozenset({AlertState.TAKEN, AlertState.DISMISSED, AlertState.RESOLVED})
"""What is worth a message of its own where the first one cannot be edited."""

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

_encode = msgspec.json.Encoder().encode


def named(items: Iterable[str], setting: str) -> dict[str, str]:
    """The hooks of a setting: `name=https://...` each. Raises ValueError with one line that says what to write."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, url = item.partition("=")
        if not equals or not name.isidentifier() or name in found:
            raise ValueError(
                f"{setting} must look like name=https://...,other=https://...; each name once, of letters and _"
            )
        problem = unusable(url)
        if problem:
            raise ValueError(f"{setting}: {name}: {problem}")
        found[name] = url
    return found


def accounts(items: Iterable[str], setting: str) -> dict[str, str]:
    """The accounts of a setting: `source=SECRET` each, named as in the file of chats. Raises ValueError that shows no secret."""
    found: dict[str, str] = {}
    for item in items:
        source, equals, secret = item.partition("=")
        if not equals or not secret or not _SOURCE.fullmatch(source) or source in found:
            raise ValueError(
                f"{setting} must look like source=...,other=...; each source once, named as in BOOMERANG_CHATS"
            )
        found[source] = secret
    return found


class Body(Protocol):
    """Sets messages in the markup of one server."""

    def __call__(self, messages: Sequence[Rendered]) -> dict[str, Any]:
        """The JSON of one message, or of several as a digest."""
        ...


class IncomingHooks(OneUnit, OverEgress):
    """A channel of incoming webhooks. `urls`: name -> secret address; addresses of messages are the names."""

    workers = 32
    shows = ANSWERED

    def __init__(
        self,
        name: str,
        *,
        urls: Mapping[str, str],
        body: Body,
        every: float,
        egress: Egress,
        monotonic: Callable[[], float],
    ) -> None:
        self.name = name
        self._urls, self._body, self._egress = urls, body, egress
        self._pacing = Pacing(lambda _: Pace(every), self._hand, monotonic)

    def usable(self, address: str) -> str:
        """What is wrong with the name of a hook; an empty text if there is one of that name."""
        return "" if address in self._urls else f"no hook of that name is in BOOMERANG_{self.name.upper()}_HOOKS"

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over. An alert that has ended is answered: a hook cannot edit."""
        problem = self.usable(message.address)
        if problem:
            return Rejected(problem, suppress=False)
        return await self._pacing.speak(message.address, message, irreversible)

    async def _hand(self, name: str, messages: Sequence[Rendered], irreversible: Irreversible) -> Answer:
        headers = {"Content-Type": "application/json"}
        reply = await self._egress.ask(self._urls[name], _encode(self._body(messages)), headers, irreversible)
        if not isinstance(reply, Reply):
            return reply
        return refused(reply) or Sent("digest" if len(messages) > 1 else "")
