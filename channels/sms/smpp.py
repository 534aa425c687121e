"""SMS over SMPP 3.4: one bound connection that is kept, texts in pieces, throttling, receipts. Statuses have their meaning here.

A text goes out piece by piece, each when the one before was taken: a refusal of the first means that nobody has heard anything.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from app.ending import end
from app.model.receipt import Outcome, answered
from channels import retry
from channels.channel import Ambiguous, Answer, Down, Irreversible, Misconfigured, Rejected, Retry, Sent
from channels.segments import segments, septets
from channels.sms import pdu
from channels.sms.carrier import Said, ShortMessage
from channels.sms.pdu import Pdu, Piece, Source
from channels.sms.session import Broken, Refused, Session

log = logging.getLogger(__name__)

NAME = "smpp"
WINDOW = 10
"""Messages that wait for the SMSC's answer at the same time."""
THROTTLED = 2.0
"""Seconds of silence that an SMSC gets that takes us for too fast."""
TRIES = 5
"""Of one later piece that is throttled: the text is not left in the middle for that."""
PORTS = {"smpp": 2775, "smpps": 3550}
Heard = Callable[[Said], Awaitable[bool]]
"""Takes what an SMSC tells of its own accord; whether that is safe now."""

_BUSY = frozenset({0x14, 0x58})
"""Its queue is full; throttled."""
_LATER = frozenset({0x04, 0x08, 0x64})
_DEAD = frozenset({0x0B})
_SENDER = frozenset({0x0A, 0x48, 0x49})
_LOCKED_OUT = frozenset({0x0D, 0x0E, 0x0F, 0x53})
_OUTCOMES = {
    "DELIVRD": Outcome.DELIVERED,
    "UNDELIV": Outcome.FAILED,
    "REJECTD": Outcome.FAILED,
    "EXPIRED": Outcome.FAILED,
    "DELETED": Outcome.FAILED,
}


class Smsc(NamedTuple):
    """What BOOMERANG_SMPP says."""

    host: str
    port: int
    tls: bool
    system_id: str
    password: str
    system_type: str
    sar: bool


def smsc(url: str) -> Smsc:
    """An SMSC's address: `smpp://system_id:password@host:2775?system_type=..&long=sar`. Raises ValueError that shows no password."""
    looks = "BOOMERANG_SMPP must look like smpp://system_id:password@host:2775, or smpps://... for TLS"
    try:
        parts = urlsplit(url)
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError(looks) from None
    if parts.scheme not in PORTS or not parts.hostname or not parts.username or set(options) - {"system_type", "long"}:
        raise ValueError(looks)
    system_id, password = unquote(parts.username), unquote(parts.password or "")
    told = Smsc(
        parts.hostname,
        port or PORTS[parts.scheme],
        parts.scheme == "smpps",
        system_id,
        password,
        options.get("system_type", ""),
        options.get("long", "udh") == "sar",
    )
    if options.get("long", "udh") not in ("udh", "sar"):
        raise ValueError("BOOMERANG_SMPP: long must be udh or sar")
    try:
        pdu.bind(told.system_id, told.password, told.system_type, 1)
    except (pdu.Garbled, UnicodeEncodeError):
        raise ValueError(
            "BOOMERANG_SMPP: system id has up to 15 letters, password 8, system type 12, all ASCII"
        ) from None
    return told


def source_of(sender: str) -> Source:
    """The sender with its type of number: a name, a short number, or one in international form. Raises ValueError."""
    digits = sender.removeprefix("+")
    if digits.isascii() and digits.isdigit() and len(digits) <= 15:
        return Source(1, 1, digits) if len(digits) > 8 else Source(3, 0, digits)
    if not sender.isascii() or not sender.isprintable() or not 1 <= len(sender) <= 11:
        raise ValueError("BOOMERANG_SMS_FROM must be a number, or a name of up to 11 ASCII letters")
    return Source(5, 0, sender)


def pieces(message: ShortMessage, *, sar: bool) -> list[Piece]:
    """The pieces of a message; a repetition has the same reference, so that a handset puts both together."""
    parts = segments(message.text)
    reference = int.from_bytes(blake2b(message.key.encode(), digest_size=2).digest())
    coding = pdu.UCS2 if parts.unicode else pdu.GSM
    octets = [part.encode("utf-16-be", "replace") if parts.unicode else septets(part) for part in parts.pieces]
    return [Piece(one, coding, number, len(octets), reference, sar) for number, one in enumerate(octets, 1)]


def meaning(status: int) -> Answer:
    """What a refusal of a `submit_sm` means."""
    told = f"SMPP status 0x{status:08X}"
    if status in _BUSY:
        return Retry(THROTTLED, told)
    if status in _LATER:
        return Retry(None, told)
    if status in _SENDER:
        return Misconfigured(f"{told}: see BOOMERANG_SMS_FROM")
    return Rejected(told, suppress=status in _DEAD)


class Smpp:
    """The carrier. `heard` takes receipts and what customers write; `trust`: file with CA certificates (tests)."""

    def __init__(self, *, url: str, sender: str, timeout: float, heard: Heard | None, trust: str = "") -> None:
        self._smsc, self._source = smsc(url), source_of(sender)
        self._timeout, self._heard, self._trust = timeout, heard, trust
        self._window = asyncio.Semaphore(WINDOW)
        self._session: Session | None = None
        self._tried = asyncio.Event()
        self._why: Down | Misconfigured = Down(None, "not connected yet")
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to keep a connection: receipts come over it at any time."""
        if self._keeper is None or self._keeper.done():
            self._tried.clear()
            self._keeper = asyncio.create_task(self._keep(), name="smpp")

    async def stop(self) -> None:
        """Take leave of the SMSC."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await end(keeper)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def carry(self, message: ShortMessage, irreversible: Irreversible) -> Answer:
        """Hand one message over."""
        async with self._window:
            session = await self._bound()
            if session is None:
                return self._why
            await irreversible()
            if not session.alive:
                return Retry(None, "the connection was lost before anything was said")
            return await self._say(session, message)

    async def _bound(self) -> Session | None:
        """The connection, once it has been tried; None: there is none now."""
        if self._session is None:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._tried.wait()
            except TimeoutError:
                return None
        session = self._session
        return session if session is not None and session.alive else None

    async def _say(self, session: Session, message: ShortMessage) -> Answer:
        told, id_ = pieces(message, sar=self._smsc.sar), ""
        for piece in told:
            last = piece.number == len(told)
            try:
                answer = await self._submit(session, message.digits, piece, receipt=last)
            except (Broken, TimeoutError) as error:
                session.end()
                return Ambiguous(f"no answer from the SMSC: {type(error).__name__}")
            if answer.status:
                refused = meaning(answer.status)
                heard = piece.number - 1
                return (
                    Ambiguous(f"{heard} of {len(told)} pieces were taken, then {refused}"[:200]) if heard else refused
                )
            id_ = pdu.submitted(answer)
        return Sent(id_)

    async def _submit(self, session: Session, to: str, piece: Piece, *, receipt: bool) -> Pdu:
        for attempt in range(TRIES):
            answer = await session.ask(lambda sequence: pdu.submit(self._source, to, piece, sequence, receipt=receipt))
            if piece.number == 1 or answer.status not in _BUSY or attempt + 1 == TRIES:
                break
            await asyncio.sleep(THROTTLED)
        return answer

    # -- the connection

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                self._session = await self._connect()
            except Refused as error:
                locked = error.status in _LOCKED_OUT
                self._why = Misconfigured(f"{error}: see BOOMERANG_SMPP") if locked else Down(None, str(error))
            except ssl.SSLCertVerificationError as error:
                self._why = Misconfigured(f"the SMSC's certificate: {error.verify_message}")
            except (OSError, Broken, pdu.Garbled) as error:
                self._why = Down(None, f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"[:200])
            else:
                failures = 0
                self._tried.set()
                await self._session.ended.wait()
                self._why = Down(None, "the connection was lost")
                await self._session.close()
                self._session = None
                continue
            self._tried.set()
            await asyncio.sleep(0.2 + retry.wait(NAME, failures, base=1.0, longest=30.0))
            failures += 1

    async def _connect(self) -> Session:
        to, tls = self._smsc, None
        if to.tls:
            tls = ssl.create_default_context(cafile=self._trust or None)
        login = (to.system_id, to.password, to.system_type)
        return await Session.connect(to.host, to.port, tls, login, self._delivered, self._timeout)

    async def _delivered(self, heard: Pdu) -> bool:
        """A receipt, or what somebody wrote. What cannot be read will not become readable: it is done with."""
        try:
            told = pdu.delivered(heard)
        except pdu.Garbled as error:
            log.warning("the SMSC has delivered something that cannot be read: %s", error)
            return True
        said = said_of(told)
        return said is None or self._heard is None or await self._heard(said)


def said_of(told: pdu.Delivered) -> Said | None:
    """What a delivery says in our words; None: nothing that we want to know (on its way, accepted)."""
    if told.receipt:
        outcome = _OUTCOMES.get(told.state)
        if outcome is None or not told.id:
            return None
        return Said(NAME, outcome, told.id, detail=f"{told.state} {told.error}".strip())
    digits = told.source.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15):
        return None
    return Said(NAME, answered(told.text), phone=f"+{digits}")
