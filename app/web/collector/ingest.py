"""The Segment-compatible input: from a request to acknowledged records and an answer."""

import base64
import binascii
from collections import Counter
from typing import Any, NamedTuple

import orjson

from app.clock import Clock
from app.metrics import (
    COLLECTOR_ACK,
    COLLECTOR_BODY,
    COLLECTOR_EVENT_NAMES,
    COLLECTOR_EVENTS,
    COLLECTOR_REJECTED,
    COLLECTOR_STRIPPED,
    DEAD_LETTERS,
)  # fmt: skip
from app.model.reasons import BadInput
from app.settings import Settings, split
from app.tracing import Journeys
from app.web.chat.courier import Courier
from app.web.collector import commerce, eventtime, fields
from app.web.collector.auth import Key, Keys
from app.web.collector.body import BODY_LIMIT, TooLarge, inflate, mend, parse
from app.web.collector.context import USER_AGENT_LIMIT
from app.web.collector.cors import Origins
from app.web.collector.declined import Declined
from app.web.collector.http import Bodies, Overloaded, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.journeys import collected
from app.web.collector.limits import Buckets, Proxies
from app.web.collector.links import OwnHosts
from app.web.collector.normalise import DEPTH_LIMIT, EVENT_LIMIT, TYPES, Envelope
from app.web.collector.record import Record
from app.web.collector.refusal import Refused
from app.web.collector.sorting import Document, Sorted, Sorter, events_of, size_of
from app.web.phone import country_of

EVENTS_PER_TOKEN = 20
"""A browser's batch counts as one request for each so many events."""
_OK = b'{"success":true,"ok":true}'


class Route(NamedTuple):
    """One path: the type of its events (empty: each says its own), and whether it takes many."""

    label: str
    kind: str = ""
    batch: bool = False
    historical: bool = False


class Ingest:
    """Takes events. Everything that a client can get wrong is a `Declined` or a refused event, never a 500."""

    def __init__(
        self, settings: Settings, clock: Clock, intake: Intake, origins: Origins, told: Journeys | None = None
    ) -> None:
        self._clock = clock
        self._told = told
        self._intake = intake
        self._origins = origins
        self._keys = Keys(settings.write_keys_by_key)
        self._proxies = Proxies(split(settings.trusted_proxies))
        self._per_key = Buckets(settings.rate_per_key)
        self._per_address = Buckets(settings.rate_per_address)
        self._bodies = Bodies()
        self._country = country_of(settings.phone_country)
        self._clamp = settings.time != "stream"
        own = (settings.shop_url, *split(settings.cors_origins), *split(settings.link_hosts))
        self._hosts = OwnHosts(own)
        self._sorter = Sorter(settings, Courier(settings, intake).record, keep=told is not None)

    async def handle(self, request: Request, route: Route) -> Response:
        """Take the events of one request. Raises Disconnected."""
        began = self._clock.monotonic()
        try:
            response = await self._take(request, route)
        except Declined as declined:
            return declined.response()
        except Refused as refused:
            COLLECTOR_REJECTED.labels(refused.reason).inc()
            return _refusal(refused.reason, str(refused))
        except TooLarge:
            return Declined(413, BadInput.TOO_LARGE, f"a body may have {BODY_LIMIT} bytes, unpacked").response()
        except (Unavailable, Overloaded) as error:
            COLLECTOR_EVENTS.add("unavailable")
            after = error.retry_after if isinstance(error, Unavailable) else 1
            return Declined(503, "unavailable", "events cannot be stored now, send them again", after).response()
        COLLECTOR_ACK.observe(self._clock.monotonic() - began)
        return response

    def of_address(self, request: Request, *, tokens: float = 1.0) -> int:
        """Take a request (or `tokens` of them; 0: only look) from the client address's allowance: 0, or the seconds to wait."""
        name = self._proxies.client(request.client, request.header(b"x-forwarded-for"))
        return self._per_address.take(name, self._clock.monotonic(), tokens=tokens)

    async def _take(self, request: Request, route: Route) -> Response:
        key = self._keys.of_request(request)
        if key is not None:
            self._admit(request, key, route)
            found = self._sorted(request, route, key, await self._document(request, route))
        else:
            found = self._sorted(request, route, *await self._of_body(request, route))
        _count_refused(found)
        return await (self._many(found, route) if route.batch else self._one(found, route))

    async def _document(self, request: Request, route: Route) -> Document:
        """The body, read and parsed. Raises Refused, TooLarge, Overloaded, Disconnected."""
        body = inflate(await self._bodies.read(request))
        COLLECTOR_BODY.observe(len(body))
        large = len(body) > EVENT_LIMIT
        if large and not route.batch:
            raise Refused(BadInput.TOO_LARGE, f"an event may have {EVENT_LIMIT} bytes")
        return Document(*parse(body), large)

    async def _of_body(self, request: Request, route: Route) -> tuple[Key, Document]:
        """The key that only the body names, and the body. A stranger's bodies are not read for ever."""
        self._slow_down(self.of_address(request, tokens=0.0))
        try:
            document = await self._document(request, route)
        except (Refused, TooLarge):
            self.of_address(request)
            raise
        told = document.content
        key = self._keys.of_name(told.get("writeKey") if isinstance(told, dict) else None)
        if key is None:
            self._slow_down(self.of_address(request))
            raise Declined(401, "unknown_write_key", "the write key is missing or unknown")
        self._admit(request, key, route)
        return key, document

    def _admit(self, request: Request, key: Key, route: Route) -> None:
        if key.kind == "browser":
            if not self._origins.allows(request.headers.get(b"origin")):
                raise Declined(403, "origin_not_allowed", "this origin may not send events; see BOOMERANG_CORS_ORIGINS")
            if route.historical:
                raise Declined(403, "server_key_needed", "an import needs a server key")
            self._slow_down(self.of_address(request))
        self._slow_down(self._per_key.take(key.name, self._clock.monotonic()))

    def _slow_down(self, wait: int) -> None:
        if wait:
            raise Declined(429, "rate_limited", "too many requests", wait)

    def _sorted(self, request: Request, route: Route, key: Key, document: Document) -> Sorted:
        """The events of a request, sorted. Raises Refused, Declined."""
        if not route.batch:
            return self._sorter.one(document, route.kind, key, self._envelope(request, route, key, {}))
        events, head = events_of(document.content)
        if key.kind == "browser" and len(events) > EVENTS_PER_TOKEN:
            self._slow_down(self.of_address(request, tokens=len(events) / EVENTS_PER_TOKEN))
        envelope = self._envelope(request, route, key, mend(head, DEPTH_LIMIT) if document.lenient else head)
        return self._sorter.many(events, document, key, envelope)

    async def _one(self, found: Sorted, route: Route) -> Response:
        if found.refused:
            self._publish_aside(found.letters)
            return _refusal(*found.refused[0])
        duplicates = await self._intake.publish(found.records)
        await self._go_on(found, route)
        COLLECTOR_EVENTS.add("duplicate" if duplicates else "accepted")
        COLLECTOR_EVENT_NAMES.add(_label(found.names[0]))
        if found.stripped:
            COLLECTOR_STRIPPED.inc(found.stripped)
        return Response(200, _OK)

    async def _many(self, found: Sorted, route: Route) -> Response:
        duplicates = await self._store(found.records, found.letters)
        await self._go_on(found, route)
        _count(found, duplicates)
        return _batch_answer(found, duplicates)

    async def _go_on(self, found: Sorted, route: Route) -> None:
        """What follows from events that were acknowledged: their traces, and what they say of dialogs. Raises Unavailable."""
        if self._told is not None:
            collected(self._told, found.taken, route.label, found.received, self._clock.now())
        if found.spoken:
            await self._intake.publish(found.spoken)

    async def _store(self, records: list[Record], letters: list[Record]) -> int:
        """Take events and dead letters: how many events were known. Raises Unavailable.

        A letter is known too where a batch is sent again, and is no repeated event.
        """
        aside = self._intake.submit(letters)
        duplicates = await self._intake.publish(records)
        if not await aside.done:
            raise Unavailable(5)
        return duplicates

    def _envelope(self, request: Request, route: Route, key: Key, head: dict[str, Any]) -> Envelope:
        context = head.get("context")
        return Envelope(
            received=self._clock.now(),
            source=key.kind,
            sent_at=eventtime.lenient(head.get("sentAt") or request.header(b"sentat")),
            anonymous_id=_anonymous(request),
            context=context if type(context) is dict and _fits(context) else {},
            historical=route.historical,
            clamp=self._clamp,
            hosts=self._hosts,
            country=self._country,
            agent=request.header(b"user-agent")[:USER_AGENT_LIMIT] if key.kind == "browser" else "",
        )

    def _publish_aside(self, letters: list[Record]) -> None:
        """A refused single event is answered at once; its dead letter is written if it can be."""
        COLLECTOR_EVENTS.add("rejected")
        try:
            self._intake.submit(letters)
        except Unavailable:
            return


def _refusal(reason: BadInput, text: str) -> Response:
    return Declined(400, reason, text).response()


def _batch_answer(found: Sorted, duplicates: int) -> Response:
    accepted, rejected = len(found.records), len(found.letters)
    if not rejected and not duplicates:
        return Response(200, b'{"success":true,"ok":true,"accepted":%d,"rejected":0,"duplicates":0}' % accepted)
    body = {
        "success": True, "ok": True, "accepted": accepted - min(duplicates, accepted), "rejected": rejected,
        "duplicates": duplicates, "errors": found.errors,
    }  # fmt: skip
    return Response(200, orjson.dumps(body))


def _fits(context: dict[str, Any]) -> bool:
    """Whether what a batch says of all its events is small enough to stand with each; it is left out otherwise."""
    try:
        return size_of(context) <= EVENT_LIMIT // 2
    except Refused:
        return False


def _anonymous(request: Request) -> str:
    """RudderStack's header: the anonymous id in base64. One that cannot be read counts as absent."""
    told = request.headers.get(b"anonymousid")
    if not told:
        return ""
    try:
        return fields.somebody(base64.b64decode(told, validate=True).decode())
    except (binascii.Error, ValueError):
        return ""


def _label(name: str) -> str:
    """The name that an event is counted under: labels are bounded."""
    return name if name in commerce.SPEC or name in TYPES else "other"


def _count_refused(found: Sorted) -> None:
    for reason, _ in found.refused:
        COLLECTOR_REJECTED.labels(reason).inc()
        DEAD_LETTERS.labels(reason).inc()


def _count(found: Sorted, duplicates: int) -> None:
    for name, number in Counter(found.names).items():
        COLLECTOR_EVENT_NAMES.add(_label(name), count=number)
    COLLECTOR_EVENTS.add("accepted", count=max(0, len(found.names) - duplicates))
    COLLECTOR_EVENTS.add("duplicate", count=duplicates)
    COLLECTOR_EVENTS.add("rejected", count=len(found.letters))
    if found.stripped:
        COLLECTOR_STRIPPED.inc(found.stripped)
