"""`POST /chat/{provider}/{source}`: authenticity, then meaning, then Kafka, then the provider's own answer.

    unknown provider or source  404      body over 1 MB   413      not JSON                      400
    not genuine                 401      not stored       503      stored, known, or unknown kind 200

A frame that is genuine is answered with 200 whatever it holds: the provider could not mend it. What cannot be used is kept as a
dead letter, what is none of our business is counted. Nothing of a request that is not genuine goes anywhere.
"""

from typing import Any, NamedTuple

from app.clock import Clock
from app.metrics import CHAT_UNAUTHENTIC, COLLECTOR_ACK
from app.model.reasons import BadInput
from app.settings import Settings, split
from app.web.chat.answered import GUESSES_PER_SECOND, answered
from app.web.chat.authenticity import Call, SourceConfig, Verdict
from app.web.chat.courier import Courier
from app.web.chat.found import Place
from app.web.chat.providers import PROVIDERS, Provider
from app.web.chat.sources import load_sources
from app.web.collector.body import mend, parse
from app.web.collector.declined import Declined
from app.web.collector.http import JSON, TEXT, Bodies, Request, Response
from app.web.collector.intake import Intake
from app.web.collector.limits import Buckets, Proxies
from app.web.collector.refusal import Refused
from app.web.phone import country_of

PREFIX = "/chat/"
BODY_LIMIT = 1 << 20
DEPTH_LIMIT = 100


class Target(NamedTuple):
    """A configured source of a provider."""

    provider: Provider
    source: str
    config: SourceConfig


class ChatWebhooks:
    """The webhooks of all configured sources."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake) -> None:
        """Raises SettingsError when the file of sources cannot be used."""
        self._clock = clock
        self._country = country_of(settings.phone_country)
        self._courier = Courier(settings, intake)
        self._proxies = Proxies(split(settings.trusted_proxies))
        self._guesses = Buckets(GUESSES_PER_SECOND)
        self._bodies = Bodies(BODY_LIMIT)
        self._targets = {
            f"{PREFIX}{name}/{source}": Target(PROVIDERS[name], source, config)
            for name, sources in load_sources(settings.chats).items()
            if name in PROVIDERS
            for source, config in sources.items()
        }

    async def handle(self, request: Request) -> Response:
        """The answer to one request. Raises Disconnected."""
        target = self._targets.get(request.path)
        if target is None:
            return Declined(404, "not_found", "there is no such provider, or no such source of it").response()
        return await answered(self._answer(request, target), BODY_LIMIT)

    async def _answer(self, request: Request, target: Target) -> Response:
        return await self._post(request, target) if request.method == "POST" else self._get(request, target)

    def _get(self, request: Request, target: Target) -> Response:
        if target.provider.challenge is None or request.method != "GET":
            allowed = "POST" if target.provider.challenge is None else "GET, POST"
            response = Declined(405, "method_not_allowed", f"this path takes {allowed}").response()
            return Response(405, response.body, [*JSON, (b"allow", allowed.encode())])
        answer = target.provider.challenge(request.parameters(), target.config)
        if answer is None:
            raise self._not_genuine(request, target, Verdict.WRONG)
        return Response(200, answer.encode(), TEXT)

    async def _post(self, request: Request, target: Target) -> Response:
        began = self._clock.monotonic()
        wait = self._guesses.take(self._address(request), began, tokens=0.0)
        if wait:
            raise Declined(429, "rate_limited", "too many requests that were not genuine", wait)
        call = Call(request.headers, request.parameters(), await self._bodies.read(request))
        provider, now = target.provider, self._clock.now()
        verdict = provider.verify(call, target.config, now)
        if verdict is not Verdict.GENUINE:
            raise self._not_genuine(request, target, verdict)
        document = _document(call.body)
        answer = provider.handshake(document, target.config) if provider.handshake is not None else None
        if answer is not None:
            return Response(200, answer, TEXT)
        place = Place(provider.name, target.source, now, self._country)
        await self._courier.deliver(provider.events(document, target.config, place), place)
        COLLECTOR_ACK.observe(self._clock.monotonic() - began)
        return Response(200, provider.ok, JSON if provider.ok.startswith(b"{") else TEXT)

    def _not_genuine(self, request: Request, target: Target, verdict: Verdict) -> Declined:
        self._guesses.take(self._address(request), self._clock.monotonic())
        CHAT_UNAUTHENTIC.labels(target.provider.name, target.source, verdict).inc()
        return Declined(401, verdict, f"this is not a genuine request of {target.provider.name}")

    def _address(self, request: Request) -> str:
        return self._proxies.client(request.client, request.header(b"x-forwarded-for"))


def _document(body: bytes) -> dict[str, Any]:
    """The body's JSON object. Raises Refused."""
    document, lenient = parse(body)
    if lenient:
        document = mend(document, DEPTH_LIMIT)
    if type(document) is not dict:
        raise Refused(BadInput.WRONG_TYPE, "body")
    return document
