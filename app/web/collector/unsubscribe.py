"""One-click unsubscribe (RFC 8058): `/u/TOKEN`. GET shows a page and changes nothing, POST takes the address off."""

from html import escape

from app import topics
from app.clock import Clock
from app.codec import encode_json
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.settings import Settings
from app.tokens import BadToken, Unsubscribe, load_secret, read_unsubscribe_token
from app.web.collector.body import TooLarge
from app.web.collector.http import Bodies, Headers, Overloaded, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.sink import Record

PREFIX = "/u/"

_HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
]

_WORDS = {
    "en": {
        "ask": ("Unsubscribe", "No more messages of this kind to this address?", "Unsubscribe"),
        "done": ("Done", "You will not get these messages any more.", ""),
        "bad": (
            "This link does not work",
            "It is incomplete or too old. Please use the link of the latest message.",
            "",
        ),
        "later": ("Please try again", "Your request could not be stored just now. Try again in a minute.", "Try again"),
    },
    "ru": {
        "ask": ("Отписка", "Больше не присылать такие сообщения на этот адрес?", "Отписаться"),
        "done": ("Готово", "Вы больше не будете получать такие сообщения.", ""),
        "bad": ("Ссылка не работает", "Она неполная или устарела. Возьмите ссылку из последнего письма.", ""),
        "later": ("Попробуйте ещё раз", "Сейчас не удалось сохранить запрос. Повторите через минуту.", "Повторить"),
    },
}

_PAGE = """<!doctype html>
<html lang="{lang}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title>
<style>
body{{font:17px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;background:#f6f6f4;color:#222}}
main{{max-width:26rem;padding:2rem;margin:1rem;background:#fff;border-radius:12px;box-shadow:0 1px 8px #0001}}
h1{{font-size:1.4rem;margin:0 0 .5rem}}button{{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:8px;background:#222;color:#fff}}
@media(prefers-color-scheme:dark){{body{{background:#181818;color:#eee}}main{{background:#242424}}button{{background:#eee;color:#222}}}}
</style><main><h1>{title}</h1><p>{text}</p>{form}</main></html>
"""
_FORM = '<form method="post"><input type="hidden" name="confirm" value="1"><button>{button}</button></form>'


def page(name: str, lang: str) -> bytes:
    """One of the pages `ask`, `done`, `bad`, `later`, in `en` or `ru`."""
    title, text, button = (escape(words) for words in _WORDS[lang][name])
    form = _FORM.format(button=button) if button else ""
    return _PAGE.format(lang=lang, title=title, text=text, form=form).encode()


def language(accepted: str, default: str) -> str:
    """`en` or `ru`: the first of them that the client names, else `default`."""
    for item in accepted.lower().split(",")[:20]:
        tag = item.split(";", 1)[0].strip()[:2]
        if tag in _WORDS:
            return tag
    return default if default in _WORDS else "en"


class UnsubscribePages:
    """Answers `/u/TOKEN`."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake) -> None:
        self._secret = load_secret(settings)
        self._locale = settings.locale
        self._topic = settings.topic_prefix + topics.RECEIPTS.name
        self._partitions = settings.partitions
        self._clock = clock
        self._intake = intake
        self._bodies = Bodies()

    async def handle(self, request: Request) -> Response:
        """The page, or the deed. Raises Disconnected."""
        lang = language(request.header(b"accept-language"), self._locale)
        try:
            what = read_unsubscribe_token(self._secret, request.path[len(PREFIX) :], self._clock.now())
        except BadToken:
            return Response(400, page("bad", lang), _HEADERS)
        if request.method != "POST":
            return Response(200, page("ask", lang), _HEADERS)
        try:
            body = await self._bodies.read(request)
            if not _confirmed(body):
                return Response(400, page("ask", lang), _HEADERS)
            await self._intake.publish([self._record(what)])
        except TooLarge:
            return Response(413, page("bad", lang), _HEADERS)
        except (Unavailable, Overloaded):
            return Response(503, page("later", lang), [*_HEADERS, (b"retry-after", b"30")])
        return Response(200, page("done", lang), _HEADERS)

    def _record(self, what: Unsubscribe) -> Record:
        receipt = Receipt(
            outcome=Outcome.UNSUBSCRIBED,
            customer=what.customer,
            channel=what.channel,
            at=self._clock.now(),
            message_id=what.message_id,
            reason=Reason.UNSUBSCRIBED,
            address=what.address,
        )
        partition = topics.partition_of(what.customer, self._partitions)
        return Record(self._topic, partition, what.customer.encode(), encode_json(receipt))


def _confirmed(body: bytes) -> bool:
    """A mail provider's one click (as a form or as multipart) or the button of our page."""
    return (b"List-Unsubscribe" in body and b"One-Click" in body) or b"confirm=1" in body
