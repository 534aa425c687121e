"""`POST /receipts/{provider}`: authenticity, then meaning, then Kafka, then the provider's own answer.

    unknown provider   404      body over 256 KB   413      neither form nor JSON                       400
    not genuine        401      not stored         503      stored, known, of no interest, or unknown   200

A request is genuine by the provider's signature where BOOMERANG_RECEIPT_SECRETS has its key, by the word in `?key=` where the
provider signs nothing, or by the signed token in `?t=` that went out with the message, which speaks of that message alone.
"""

import asyncio

from app.clock import Clock
from app.metrics import COLLECTOR_ACK, RECEIPT_CALLS, RECEIPT_UNAUTHENTIC
from app.model.event import PHONE
from app.model.reasons import Reason
from app.model.receipt import ARRIVED, Receipt, Spoken, of_message
from app.settings import Settings, split
from app.tokens import BadToken, load_secret, read_receipt_token
from app.web.chat.answered import GUESSES_PER_SECOND, answered
from app.web.chat.authenticity import Call, Secret, Verdict, shared
from app.web.collector.declined import Declined
from app.web.collector.http import JSON, TEXT, Bodies, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.limits import Buckets, Proxies
from app.web.collector.record import Record
from app.web.receipts.providers import PROVIDERS, Provider
from app.web.receipts.records import ReceiptRecords
from app.web.receipts.secrets import receipt_secrets
from app.web.receipts.told import Told, document
from channels.references import PROVIDER_ID, Away, References

PREFIX = "/receipts/"
BODY_LIMIT = 256 * 1024
SECOND_LOOK = 0.5
"""Seconds until a provider's id that is not known is looked for once more."""
_XML = [(b"content-type", b"text/xml; charset=utf-8"), *TEXT[1:]]


class Receipts:
    """The webhooks of all providers. `references`: None, and ids of providers are not known (no Redis)."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake, references: References | None) -> None:
        """Raises SettingsError when BOOMERANG_RECEIPT_SECRETS cannot be used."""
        self._clock, self._intake, self._references = clock, intake, references
        self._secret = load_secret(settings)
        self._secrets = receipt_secrets(settings)
        self._records = ReceiptRecords(settings)
        self._base = settings.public_base
        self._proxies = Proxies(split(settings.trusted_proxies))
        self._guesses = Buckets(GUESSES_PER_SECOND)
        self._bodies = Bodies(BODY_LIMIT)

    async def handle(self, request: Request) -> Response:
        """The answer to one request. Raises Disconnected."""
        provider = PROVIDERS.get(request.path[len(PREFIX) :])
        if provider is None:
            return Declined(404, "not_found", "there is no such provider").response()
        if request.method != "POST":
            declined = Declined(405, "method_not_allowed", "this path takes POST").response()
            return Response(405, declined.body, [*JSON, (b"allow", b"POST")])
        return await answered(self._post(request, provider), BODY_LIMIT)

    async def _post(self, request: Request, provider: Provider) -> Response:
        began = self._clock.monotonic()
        address = self._proxies.client(request.client, request.header(b"x-forwarded-for"))
        wait = self._guesses.take(address, began, tokens=0.0)
        if wait:
            raise Declined(429, "rate_limited", "too many requests that were not genuine", wait)
        call = Call(request.headers, request.parameters(), await self._bodies.read(request))
        ours = self._spoken(call.query.get("t", ""))
        verdict, signed = self._genuine(provider, call, request, ours)
        if verdict is not Verdict.GENUINE:
            self._guesses.take(address, began)
            RECEIPT_UNAUTHENTIC.labels(provider.name, verdict).inc()
            raise Declined(401, verdict, f"this is not a genuine request of {provider.name}")
        told = provider.read(call.body if provider.raw else document(call.body))
        await self._deliver(provider, told, ours, signed=signed)
        COLLECTOR_ACK.observe(self._clock.monotonic() - began)
        return Response(200, provider.ok, _headers(provider.ok))

    def _genuine(self, provider: Provider, call: Call, request: Request, ours: Spoken | None) -> tuple[Verdict, bool]:
        """The verdict, and whether it stands on a secret that only the provider knows."""
        secret: Secret | None = self._secrets.get(provider.name)
        if secret is not None and provider.verify is not None:
            query = f"?{request.query.decode('latin-1')}" if request.query else ""
            verdict = provider.verify(call, self._base + request.path + query, secret, self._clock.now())
            if verdict is not Verdict.MISSING or ours is None or not provider.open:
                return verdict, verdict is Verdict.GENUINE
        elif secret is not None and "key" in call.query:
            return shared(call.query["key"].encode("utf-8", "replace"), secret), True
        # what went out with a message of one channel says nothing at another's provider
        known = ours is not None and ours.channel == provider.channel
        return (Verdict.GENUINE if known else Verdict.MISSING), False

    def _spoken(self, token: str) -> Spoken | None:
        try:
            return read_receipt_token(self._secret, token, self._clock.now())
        except BadToken:
            return None

    async def _deliver(self, provider: Provider, told: list[Told], ours: Spoken | None, *, signed: bool) -> None:
        """Wait until all that is of interest is acknowledged. Raises Unavailable."""
        found, unknown, ignored = list[Record](), 0, 0
        for item in told:
            if item.outcome is None or not (signed or _harmless(provider, item)):
                ignored += 1
                continue
            record = await self._record(provider, item, ours, signed=signed)
            if record is None:
                unknown += 1
            else:
                found.append(record)
        duplicates = await self._intake.publish(found)
        for outcome, number in (
            ("accepted", len(found) - duplicates),
            ("duplicate", duplicates),
            ("unknown", unknown),
            ("ignored", ignored),
        ):
            if number > 0:
                RECEIPT_CALLS.labels(provider.name, outcome).inc(number)

    async def _record(self, provider: Provider, told: Told, ours: Spoken | None, *, signed: bool) -> Record | None:
        """The record of what was told; None: nobody knows the message that is meant."""
        assert told.outcome is not None, "of interest"
        now = self._clock.now()
        at = min(told.at, now) if told.at is not None else now
        if told.phone:
            receipt = Receipt(
                told.outcome, PHONE + told.phone, provider.channel, at, reason=Reason.RECEIPT, address=told.phone
            )
            return self._records.record(receipt, provider.name, told.provider_id or f"{told.phone}:{at:.0f}")
        spoken = ours or await self._meant(provider, told, signed=signed)
        if spoken is None:
            return None
        return self._records.record(of_message(spoken, told.outcome, at, told.detail), spoken.message_id)

    async def _meant(self, provider: Provider, told: Told, *, signed: bool) -> Spoken | None:
        if told.token:
            return self._spoken(told.token)
        if not signed:
            return None
        if told.message_id and told.customer:
            return Spoken(told.customer, told.channel or provider.channel, told.message_id, "")
        if told.provider_id and self._references is not None:
            name = f"{provider.name}:{told.provider_id}"
            try:
                token = await self._references.find(PROVIDER_ID, name)
                if not token:  # it may be quicker than our own note of the id
                    await asyncio.sleep(SECOND_LOOK)
                    token = await self._references.find(PROVIDER_ID, name)
            except Away:
                raise Unavailable(30) from None
            return self._spoken(token)
        return None


def _harmless(provider: Provider, told: Told) -> bool:
    """Whether it may be believed of a caller who knows the address of one message, and no secret."""
    return not told.phone and (told.outcome in ARRIVED or not provider.open)


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return JSON if body.startswith(b"{") else _XML if body.startswith(b"<") else TEXT
