"""`/r/TOKEN` leads to what the token says, `/o/TOKEN` is an invisible picture; a person's requests for them become receipts.

Nobody waits for a receipt: the customer is led on at once, also when Kafka is away. A receipt is written a second later, when it is
clear that it was not a scanner (`watch.py`), and is kept and tried again while it cannot be.
"""

import asyncio
import re
from contextlib import suppress
from urllib.parse import quote

from app.clock import Clock
from app.ending import end
from app.metrics import TRACKED
from app.model.receipt import Outcome, Spoken, of_message
from app.settings import Settings
from app.tokens import BadToken, load_secret, read_link_token, read_pixel_token
from app.web.collector.declined import Declined
from app.web.collector.http import JSON, Headers, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.page import HEADERS, Words, language, page
from app.web.collector.record import Record
from app.web.receipts.records import ReceiptRecords
from app.web.tracking.robots import Sign, sign
from app.web.tracking.watch import OPEN, Seen, Watch
from channels.formats import web
from channels.references import SHORT_LINK, Away, References

LINKS, PIXELS = "/r/", "/o/"
LOOK_EVERY = 0.25
"""Seconds between two looks at what has waited long enough."""
MOST_WAITING = 10_000
"""Receipts that wait for Kafka; beyond, the oldest are forgotten."""

_AS_IS = "%/:?#[]@!$&'()*+,;=~"
"""What stays as it is in the address that a browser is led to; letters beyond ASCII are written as bytes."""
_CODE = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
_PICTURE = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_PICTURE_HEADERS: Headers = [
    (b"content-type", b"image/gif"),
    (b"cache-control", b"no-store, max-age=0"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_LED: Headers = [
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
    (b"content-type", b"text/plain; charset=utf-8"),
]
_PURPOSES = (b"purpose", b"sec-purpose", b"x-purpose", b"x-moz")
_WORDS = {
    "en": {
        "bad": Words("This link does not work", "It is incomplete or too old.", "To the shop"),
        "later": Words("Please try again", "This link cannot be followed just now.", "To the shop"),
    },
    "ru": {
        "bad": Words("Ссылка не работает", "Она неполная или устарела.", "Открыть магазин"),
        "later": Words("Попробуйте ещё раз", "Сейчас эту ссылку открыть не удалось.", "Открыть магазин"),
    },
}


class TrackedLinks:
    """Answers both. `references`: None, and short links lead nowhere (no Redis)."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake, references: References | None) -> None:
        self._clock, self._intake, self._references = clock, intake, references
        self._secret = load_secret(settings)
        self._locale, self._shop = settings.locale, settings.shop_url
        self._records = ReceiptRecords(settings)
        self._watch = Watch()
        self._waiting: list[Record] = []
        self._task: asyncio.Task[None] | None = None

    async def link(self, request: Request) -> Response:
        """Where the link leads, or a page that says that it leads nowhere."""
        if request.method not in ("GET", "HEAD"):
            return _only_get()
        token = request.path[len(LINKS) :]
        if self._references is not None and _CODE.fullmatch(token):
            try:
                token = await self._references.find(SHORT_LINK, token)
            except Away:
                return self._page(request, 503, "later", [(b"retry-after", b"5")])
        try:
            link = read_link_token(self._secret, token, self._clock.now())
        except BadToken:
            return self._page(request, 404, "bad")
        if not web(link.target):
            return self._page(request, 404, "bad")
        self._note(request, link.spoken, link.number, link.issued)
        return Response(302, b"", [*_LED, (b"location", quote(link.target, safe=_AS_IS).encode())])

    async def pixel(self, request: Request) -> Response:
        """The picture, whatever the token: a mail never shows a broken one."""
        if request.method not in ("GET", "HEAD"):
            return _only_get()
        token = request.path[len(PIXELS) :].removesuffix(".gif")
        try:
            spoken, issued = read_pixel_token(self._secret, token, self._clock.now())
        except BadToken:
            TRACKED.labels("open", "bad").inc()
        else:
            self._note(request, spoken, OPEN, issued)
        return Response(200, _PICTURE, _PICTURE_HEADERS)

    async def close(self) -> None:
        """Write what is still watched: nothing is forgotten when the process ends in order."""
        if self._task is not None:
            await end(self._task)
        self._settle(self._watch.due(float("inf")))
        await self._write()

    def _note(self, request: Request, spoken: Spoken, number: int, issued: float) -> None:
        """Watch a person's request; a robot's is only counted."""
        now, kind = self._clock.now(), _kind(number)
        purposes = " ".join(request.header(name) for name in _PURPOSES)
        agent = request.header(b"user-agent")[:1_000]
        found = sign(request.method, agent, purposes, now - issued, picture=number == OPEN)
        if found is None and not self._watch.saw(Seen(spoken, number, now), self._clock.monotonic()):
            found = Sign.BURST
        if found is not None:
            TRACKED.labels(kind, found).inc()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look(), name="tracked links")

    async def _look(self) -> None:
        """Write receipts as long as anything is watched or waits."""
        while len(self._watch) or self._waiting:
            await asyncio.sleep(LOOK_EVERY)
            self._settle(self._watch.due(self._clock.monotonic()))
            await self._write()

    def _settle(self, seen: list[Seen]) -> None:
        for spoken, number, at in seen:
            TRACKED.labels(_kind(number), "person").inc()
            outcome = Outcome.OPENED if number == OPEN else Outcome.CLICKED
            receipt = of_message(spoken, outcome, at)
            self._waiting.append(self._records.record(receipt, spoken.message_id, str(number)))
        del self._waiting[:-MOST_WAITING]

    async def _write(self) -> None:
        """Give what waits to Kafka; what it does not take waits on."""
        records, self._waiting = self._waiting, []
        if records:
            with suppress(Unavailable):
                await self._intake.publish(records)
                return
            for record in records:
                record.tickets = []
            self._waiting = records + self._waiting

    def _page(self, request: Request, status: int, name: str, more: Headers | None = None) -> Response:
        TRACKED.labels("link", name).inc()
        lang = language(request.header(b"accept-language"), self._locale)
        return Response(status, page(_WORDS[lang][name], lang, link=self._shop), [*HEADERS, *(more or [])])


def _kind(number: int) -> str:
    return "open" if number == OPEN else "link"


def _only_get() -> Response:
    declined = Declined(405, "method_not_allowed", "this path takes GET").response()
    return Response(405, declined.body, [*JSON, (b"allow", b"GET, HEAD")])
