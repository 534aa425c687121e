"""SMS: texts without markup, their price in segments, the provider's pace. Who carries them is a setting."""

from app.model.alert import AlertState
from app.model.event import is_e164
from channels.channel import Answer, Irreversible, Rejected, Rendered, Retry
from channels.rate import Rate
from channels.segments import segments
from channels.sms.carrier import Carrier, ShortMessage
from channels.unseen import plain

NAME = "sms"
WORKERS = 128
LONGEST = 10_000
"""Characters: nothing longer is looked at."""


class Sms:
    """The channel. `most`: segments that a message may have, since each is paid for."""

    name = NAME
    workers = WORKERS
    shows = frozenset[AlertState]()

    def __init__(self, provider: str, carrier: Carrier, rate: Rate, most: int) -> None:
        self.provider = provider
        self._carrier, self._rate, self._most = carrier, rate, most

    async def start(self) -> None:
        """Start what carries."""
        await self._carrier.start()

    async def stop(self) -> None:
        """Stop what carries."""
        await self._carrier.stop()

    def usable(self, address: str) -> str:
        """What is wrong with the number; an empty text if messages can go there."""
        return "" if is_e164(address) else "not a phone number in E.164"

    def units(self, message: Rendered) -> int:
        """Segments of the message."""
        return segments(_text(message)[:LONGEST]).units

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over."""
        problem, text = self.usable(message.address), _text(message)
        if not text:
            problem = problem or "the message has no text"
        elif len(text) > LONGEST or segments(text).units > self._most:
            problem = problem or f"the text has more than {self._most} segments; see BOOMERANG_SMS_SEGMENTS"
        if problem:
            return Rejected(problem, suppress=False)
        later = await self._rate.turn()
        if later is not None:
            return later
        short = ShortMessage(message.message_id, message.address, text, message.receipt_url)
        answer = await self._carrier.carry(short, irreversible)
        if isinstance(answer, Retry):
            self._rate.pause(answer.after)
        return answer


def _text(message: Rendered) -> str:
    return plain(message.text) or plain(message.subject)
