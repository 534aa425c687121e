"""The Segment-compatible input: from a request to acknowledged records and an answer."""

import base64
import binascii
from collections import Counter
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from app import topics
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
from app.web.chat import livechat
from app.web.chat.courier import Courier
from app.web.collector import commerce, eventtime, fields
from app.web.collector.auth import Key, Keys
from app.web.collector.body import BODY_LIMIT, Repeated, TooLarge, inflate, mend, parse
from app.web.collector.context import USER_AGENT_LIMIT
from app.web.collector.cors import Origins
from app.web.collector.deadletters import dead_letter, topic_name
from app.web.collector.declined import Declined
from app.web.collector.http import Bodies, Overloaded, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.journeys import collected
from app.web.collector.limits import Buckets, Proxies
from app.web.collector.links import OwnHosts
from app.web.collector.normalise import DEPTH_LIMIT, EVENT_LIMIT, TYPES, Accepted, Envelope, normalise
from app.web.collector.refusal import Refused
from app.web.collector.sink import Record
from app.web.phone import country_of

EVENTS_LIMIT = 2_500
ERRORS_SHOWN = 20
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
        self._partitions = settings.partitions
        self._clickstream = settings.topic_prefix + topics.CLICKSTREAM.name
        self._dead_letters = topic_name(settings.topic_prefix)
        self._country = country_of(settings.phone_country)
        self._clamp = settings.time != "stream"
        own = (settings.shop_url, *split(settings.cors_origins), *split(settings.link_hosts))
        self._hosts = OwnHosts(own)
        self._courier = Courier(settings, intake)

    async def handle(self, request: Request, route: Route) -> Response:
        """Take the events of one request. Raises Disconnected."""
        began = self._clock.monotonic()
        try:
            response = await self._take(request, route)
        except Declined as declined:
            return declined.response()
        except Refused as refused:
            COLLECTOR_REJECTED.labels(refused.reason).inc()
            return _refusal(refused)
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
            document, lenient, large = await self._document(request, route)
        else:
            key, document, lenient, large = await self._of_body(request, route)
        if route.batch:
            return await self._many(request, route, key, document, lenient=lenient, large=large)
        return await self._one(request, route, key, document, lenient=lenient)

    async def _document(self, request: Request, route: Route) -> tuple[Any, bool, bool]:
        """The body's JSON, whether its events need `mend`, and whether one of them may be too large."""
        body = inflate(await self._bodies.read(request))
        COLLECTOR_BODY.observe(len(body))
        large = len(body) > EVENT_LIMIT
        if large and not route.batch:
            raise Refused(BadInput.TOO_LARGE, f"an event may have {EVENT_LIMIT} bytes")
        return *parse(body), large

    async def _of_body(self, request: Request, route: Route) -> tuple[Key, Any, bool, bool]:
        """The key that only the body names, and the body. A stranger's bodies are not read for ever."""
        self._slow_down(self.of_address(request, tokens=0.0))
        try:
            document, lenient, large = await self._document(request, route)
        except (Refused, TooLarge):
            self.of_address(request)
            raise
        key = self._keys.of_name(document.get("writeKey") if isinstance(document, dict) else None)
        if key is None:
            self._slow_down(self.of_address(request))
            raise Declined(401, "unknown_write_key", "the write key is missing or unknown")
        self._admit(request, key, route)
        return key, document, lenient, large

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

    async def _one(self, request: Request, route: Route, key: Key, raw: Any, *, lenient: bool) -> Response:
        envelope = self._envelope(request, route, key, {})
        try:
            accepted = normalise(mend(raw, DEPTH_LIMIT) if lenient else raw, route.kind, envelope)
            spoken = self._spoken(accepted, key, envelope)
        except Refused as refused:
            told = {"type": route.kind, **raw} if isinstance(raw, dict) else raw
            self._publish_aside(self._dead_letter(told, refused, envelope))
            return _refusal(refused)
        duplicates = await self._intake.publish([self._record(accepted, key)])
        if self._told is not None:
            collected(self._told, (accepted,), route.label, envelope.received, self._clock.now())
        if spoken:
            await self._intake.publish(spoken)
        COLLECTOR_EVENTS.add("duplicate" if duplicates else "accepted")
        COLLECTOR_EVENT_NAMES.add(_label(accepted.name))
        if accepted.stripped:
            COLLECTOR_STRIPPED.inc(accepted.stripped)
        return Response(200, _OK)

    async def _many(
        self, request: Request, route: Route, key: Key, document: Any, *, lenient: bool, large: bool
    ) -> Response:
        events, head = _batch(document)
        if key.kind == "browser" and len(events) > EVENTS_PER_TOKEN:
            self._slow_down(self.of_address(request, tokens=len(events) / EVENTS_PER_TOKEN))
        envelope = self._envelope(request, route, key, mend(head, DEPTH_LIMIT) if lenient else head)
        records: list[Record] = []
        letters: list[Record] = []
        spoken: list[Record] = []
        taken: list[Accepted] = []
        names: Counter[str] = Counter()
        errors: list[dict[str, Any]] = []
        stripped = 0
        for index, raw in enumerate(events):
            try:
                if large and len(orjson.dumps(raw, default=str)) > EVENT_LIMIT:
                    raise Refused(BadInput.TOO_LARGE, "event")  # noqa: TRY301 - as normalise does
                accepted = normalise(mend(raw, DEPTH_LIMIT) if lenient else raw, "", envelope)
                spoken += self._spoken(accepted, key, envelope)
            except Refused as refused:
                letters.append(self._dead_letter(raw, refused, envelope))
                if len(errors) < ERRORS_SHOWN:
                    errors.append({"index": index, "reason": refused.reason, "detail": refused.detail})
                continue
            records.append(self._record(accepted, key))
            if self._told is not None:
                taken.append(accepted)
            names[accepted.name] += 1
            stripped += accepted.stripped
        duplicates = await self._store(records, letters)
        if self._told is not None:
            collected(self._told, taken, route.label, envelope.received, self._clock.now())
        if spoken:
            await self._intake.publish(spoken)
        _count(names, len(letters), duplicates, stripped)
        return _batch_answer(len(records), len(letters), duplicates, errors)

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
            context=context if type(context) is dict and len(orjson.dumps(context)) <= EVENT_LIMIT // 2 else {},
            historical=route.historical,
            clamp=self._clamp,
            hosts=self._hosts,
            country=self._country,
            agent=request.header(b"user-agent")[:USER_AGENT_LIMIT] if key.kind == "browser" else "",
        )

    def _record(self, accepted: Accepted, key: Key) -> Record:
        # Of one customer and one name: a client that gives the same messageId to everything loses nobody else's events.
        told = f"{key.name}\0{accepted.customer}\0{accepted.name}\0{accepted.message_id}"
        id_ = blake2b(told.encode(), digest_size=16).digest()
        partition = topics.partition_of(accepted.customer, self._partitions)
        return Record(self._clickstream, partition, accepted.customer.encode(), accepted.value, id_)

    def _spoken(self, accepted: Accepted, key: Key, envelope: Envelope) -> list[Record]:
        """What an event says of a dialog. Only a server key may speak of dialogs. Raises Refused."""
        if accepted.name not in livechat.NAMES or key.kind != "server" or envelope.historical:
            return []
        return [
            self._courier.record(livechat.event(orjson.loads(accepted.value), accepted.customer, envelope.received))
        ]

    def _dead_letter(self, raw: Any, refused: Refused, envelope: Envelope) -> Record:
        COLLECTOR_REJECTED.labels(refused.reason).inc()
        DEAD_LETTERS.labels(refused.reason).inc()
        return dead_letter(raw, refused, envelope.source, envelope.received, self._dead_letters, self._partitions)

    def _publish_aside(self, record: Record) -> None:
        """A refused single event is answered at once; its dead letter is written if it can be."""
        COLLECTOR_EVENTS.add("rejected")
        try:
            self._intake.submit([record])
        except Unavailable:
            return


def _refusal(refused: Refused) -> Response:
    return Declined(400, refused.reason, str(refused)).response()


def _batch(document: Any) -> tuple[list[Any], dict[str, Any]]:
    """The events of a batch and what stands around them."""
    if type(document) is Repeated:
        raise Refused(BadInput.DUPLICATE_KEYS)
    head = document if type(document) is dict else {}
    events = document if type(document) is list else head.get("batch")
    if type(events) is not list:
        raise Refused(BadInput.WRONG_TYPE, "batch")
    if len(events) > EVENTS_LIMIT:
        raise Refused(BadInput.TOO_LARGE, f"a batch may have {EVENTS_LIMIT} events")
    return events, {name: head[name] for name in ("context", "sentAt") if name in head}


def _batch_answer(accepted: int, rejected: int, duplicates: int, errors: list[dict[str, Any]]) -> Response:
    if not rejected and not duplicates:
        return Response(200, b'{"success":true,"ok":true,"accepted":%d,"rejected":0,"duplicates":0}' % accepted)
    body = {
        "success": True, "ok": True, "accepted": accepted - min(duplicates, accepted), "rejected": rejected,
        "duplicates": duplicates, "errors": errors,
    }  # fmt: skip
    return Response(200, orjson.dumps(body))


def _anonymous(request: Request) -> str:
    """RudderStack's header: the anonymous id in base64. One that cannot be read counts as absent."""
    told = request.headers.get(b"anonymousid")
    if not told:
        return ""
    try:
        name = fields.identifier(base64.b64decode(told, validate=True).decode())
        return "" if fields.is_nobody(name) else name
    except (binascii.Error, ValueError):
        return ""


def _label(name: str) -> str:
    """The name that an event is counted under: labels are bounded."""
    return name if name in commerce.SPEC or name in TYPES else "other"


def _count(names: Counter[str], rejected: int, duplicates: int, stripped: int) -> None:
    for name, number in names.items():
        COLLECTOR_EVENT_NAMES.add(_label(name), count=number)
    COLLECTOR_EVENTS.add("accepted", count=max(0, names.total() - duplicates))
    COLLECTOR_EVENTS.add("duplicate", count=duplicates)
    COLLECTOR_EVENTS.add("rejected", count=rejected)
    if stripped:
        COLLECTOR_STRIPPED.inc(stripped)
