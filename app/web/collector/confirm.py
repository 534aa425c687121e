"""Double opt-in: `/c/TOKEN`, the link of the mail that asks for a confirmation. GET shows a page and changes nothing, POST confirms.

Programs that look at mails follow links; none of them presses the button of a form.
"""

from app.clock import Clock
from app.model.receipt import Outcome, Receipt
from app.model.trigger import CONFIRMATION
from app.settings import Settings
from app.tokens import BadToken, Confirming, load_secret, read_confirm_token
from app.web.collector.body import TooLarge
from app.web.collector.http import Bodies, Overloaded, Request, Response
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.page import HEADERS, Words, language, page
from app.web.receipts.records import ReceiptRecords

PREFIX = "/c/"

_WORDS = {
    "en": {
        "ask": Words("Please confirm", "Do you want our messages at this address?", "Yes, send them to me"),
        "done": Words("Thank you", "Your consent is confirmed. You can take it back in every message."),
        "bad": Words(
            "This link does not work", "It is incomplete or too old. Please leave your address in the shop once more."
        ),
        "later": Words(
            "Please try again", "Your answer could not be stored just now. Try again in a minute.", "Try again"
        ),
    },
    "ru": {
        "ask": Words("Подтвердите согласие", "Присылать вам наши сообщения на этот адрес?", "Да, присылайте"),
        "done": Words("Спасибо", "Согласие подтверждено. Отказаться можно в каждом письме."),
        "bad": Words("Ссылка не работает", "Она неполная или устарела. Оставьте свой адрес в магазине ещё раз."),
        "later": Words("Попробуйте ещё раз", "Сейчас не удалось сохранить ответ. Повторите через минуту.", "Повторить"),
    },
}


class ConfirmPages:
    """Answers `/c/TOKEN`."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake) -> None:
        self._secret, self._locale = load_secret(settings), settings.locale
        self._records = ReceiptRecords(settings)
        self._clock, self._intake = clock, intake
        self._bodies = Bodies()

    async def handle(self, request: Request) -> Response:
        """The page, or the deed. Raises Disconnected."""
        lang = language(request.header(b"accept-language"), self._locale)
        try:
            what = read_confirm_token(self._secret, request.path[len(PREFIX) :], self._clock.now())
        except BadToken:
            return _page(400, "bad", lang)
        if request.method != "POST":
            return _page(200, "ask", lang)
        try:
            if b"confirm=1" not in (await self._bodies.read(request)).split(b"&"):
                return _page(400, "ask", lang)
            await self._intake.publish([self._records.record(self._receipt(what), what.customer, what.message_id)])
        except TooLarge:
            return _page(413, "bad", lang)
        except (Unavailable, Overloaded):
            return Response(503, page(_WORDS[lang]["later"], lang), [*HEADERS, (b"retry-after", b"30")])
        return _page(200, "done", lang)

    def _receipt(self, what: Confirming) -> Receipt:
        return Receipt(
            Outcome.CONFIRMED,
            what.customer,
            "email",
            self._clock.now(),
            what.message_id,
            what.message_id.rpartition(".")[0],
            CONFIRMATION,
            address=what.address,
            marketing=False,
        )


def _page(status: int, name: str, lang: str) -> Response:
    return Response(status, page(_WORDS[lang][name], lang), HEADERS)
