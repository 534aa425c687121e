"""One-click unsubscribe (RFC 8058): `/u/TOKEN`. GET shows a page and changes nothing, POST takes the address off."""

from app import topics
from app.clock import Clock
from app.codec import encode_json
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.settings import Settings
from app.tokens import BadToken, Unsubscribe, load_secret, read_unsubscribe_token
from app.web.collector.body import TooLarge
from app.web.collector.http import Bodies, Overloaded, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.page import HEADERS, Words, language
from app.web.collector.page import page as plain_page
from app.web.collector.record import Record

PREFIX = "/u/"

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


def page(name: str, lang: str) -> bytes:
    """One of the pages `ask`, `done`, `bad`, `later`, in `en` or `ru`."""
    return plain_page(Words(*_WORDS[lang][name]), lang)


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
            return Response(400, page("bad", lang), HEADERS)
        if request.method != "POST":
            return Response(200, page("ask", lang), HEADERS)
        try:
            body = await self._bodies.read(request)
            if not _confirmed(body):
                return Response(400, page("ask", lang), HEADERS)
            await self._intake.publish([self._record(what)])
        except TooLarge:
            return Response(413, page("bad", lang), HEADERS)
        except (Unavailable, Overloaded):
            return Response(503, page("later", lang), [*HEADERS, (b"retry-after", b"30")])
        return Response(200, page("done", lang), HEADERS)

    def _record(self, what: Unsubscribe) -> Record:
        receipt = Receipt(
            outcome=Outcome.UNSUBSCRIBED,
            customer=what.customer,
            channel=what.channel,
            at=self._clock.now(),
            message_id=what.message_id,
            trigger_id=what.message_id.rpartition(".")[0],
            reason=Reason.UNSUBSCRIBED,
            address=what.address,
        )
        partition = topics.partition_of(what.customer, self._partitions)
        return Record(self._topic, partition, what.customer.encode(), encode_json(receipt))


def _confirmed(body: bytes) -> bool:
    """A mail provider's one click (as a form or as multipart) or the button of our page."""
    return (b"List-Unsubscribe" in body and b"One-Click" in body) or b"confirm=1" in body
