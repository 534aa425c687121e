"""E-mail over SMTP: prepared bytes over a pool of connections, and what each answer of a relay means."""

import re
from collections.abc import Callable, Sequence
from email.utils import parseaddr
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from app.model.alert import ENDED
from channels import mime
from channels.address import Address, BadAddress, parse
from channels.channel import Ambiguous, Answer, Down, Irreversible, Misconfigured, Rejected, Rendered, Retry, Sent
from channels.over_egress import OneUnit
from channels.smtp_pool import Connection, Lost, Pool, RelayDown, RelayMisconfigured, Reply, relay

if TYPE_CHECKING:
    from channels.dkim import Signer

NAME = "email"
RECEIPT_HEADER = "X-Boomerang-Receipt"
_MOST_TOKEN = 900
"""Characters: a line of a mail has at most 998, and a relay refuses a longer one."""
VERP_SIGNS = ("+", "-")
"""What may stand between the bounce address's name and a message's code."""
CODE_DIGITS = 16
_MOST_LOCAL = 64
"""Characters before the @ of an address (RFC 5321)."""
_ENHANCED = re.compile(r"\b5\.(\d{1,3})\.(\d{1,3})\b")
_DEAD_CODES = frozenset({550, 551, 553})


class Email(OneUnit):
    """The e-mail channel. `sender` is the From of all mails: `Name <address>` or an address.

    Raises ValueError (one line that says what to mend) for a sender or a relay that cannot be used.
    """

    name = NAME
    shows = ENDED

    def __init__(
        self,
        *,
        smtp: str,
        connections: int,
        timeout: float,
        sender: str,
        monotonic: Callable[[], float],
        trust: str = "",
        bounce_address: str = "",
        verp: str = "",
        dkim_keys: Sequence[str] = (),
        dkim_domain: str = "",
    ) -> None:
        self._sender_name, address = parseaddr(sender)
        try:
            self._sender = parse(address)
        except BadAddress as error:
            raise ValueError(f"BOOMERANG_MAIL_FROM={sender!r} has no usable address: {error}") from None
        self._returns, self._verp = _returns(bounce_address, self._sender, verp), verp
        self._signer = _signer(dkim_keys, dkim_domain, self._sender.domain)
        self.workers = connections
        self._pool = Pool(relay(smtp), connections, timeout, monotonic, hostname=self._sender.domain, trust=trust)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return self._pool.open

    @property
    def pool(self) -> Pool:
        """The connections, for those who count them."""
        return self._pool

    async def start(self) -> None:
        """Nothing: connections are opened when there is something to say."""

    async def stop(self) -> None:
        """Close the idle connections; those in use close when they come back."""
        await self._pool.close()

    def usable(self, address: str) -> str:
        """What is wrong with the address; an empty text if mail can go there."""
        try:
            parse(address)
        except BadAddress as error:
            return str(error)
        return ""

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one mail to the relay."""
        try:
            recipient = str(parse(message.address))
            prepared = self.prepare(message)
        except ValueError as error:
            return Rejected(str(error), suppress=False)
        for fresh in (False, True):
            try:
                connection = await self._pool.acquire(fresh=fresh)
            except RelayDown as error:
                return Down(None, str(error))
            except RelayMisconfigured as error:
                return Misconfigured(str(error))
            answer = await self._over(connection, self._return_path(message), recipient, prepared, irreversible)
            if answer is not None:
                return answer
        raise AssertionError("a fresh connection always has an answer")

    def _return_path(self, message: Rendered) -> str:
        """Where its bounces go: an address of its own, where it has a code."""
        if not (self._verp and message.return_code):
            return str(self._returns)
        return f"{self._returns.local}{self._verp}{message.return_code}@{self._returns.domain}"

    def prepare(self, message: Rendered) -> bytes:
        """The mail as it goes over the wire, signed where there is a key."""
        headers = [
            ("X-Boomerang-Scenario", message.scenario),
            ("X-Boomerang-Trigger", message.trigger_id),
            ("Auto-Submitted", "auto-generated"),
        ]
        if message.cards and message.cards[0].changed:  # what has become of an alert: an answer to its mail
            first = f"<{message.message_id.rpartition('.')[0]}@{self._sender.domain}>"
            headers += [("In-Reply-To", first), ("References", first)]
        if token := receipt_token(message.receipt_url):
            headers.append((RECEIPT_HEADER, token))
        if message.unsubscribe:
            headers.insert(0, ("List-Unsubscribe", f"<{message.unsubscribe}>"))
            headers.insert(1, ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        prepared = mime.assemble(
            mime.Mail(
                self._sender_name,
                str(self._sender),
                message.name,
                str(parse(message.address)),
                message.subject,
                message.text,
                message.html,
                f"{message.message_id}@{self._sender.domain}",
                message.at,
                tuple(headers),
            )
        )
        return prepared if self._signer is None else self._signer.signed(prepared, message.at)

    async def _over(
        self, connection: Connection, returns: str, recipient: str, prepared: bytes, irreversible: Irreversible
    ) -> Answer | None:
        """One mail over one connection. None: the relay had already hung up on an idle connection, nothing was said."""
        clean = False
        reused = connection.mails > 0
        connection.mails += 1
        try:
            reply = await connection.command("MAIL", f"FROM:<{returns}>")
            reused = False
            refused = _sender_refused(reply)
            if refused is None:
                reply = await connection.command("RCPT", f"TO:<{recipient}>")
                refused = _refused(reply, frozenset({250, 251}), _DEAD_CODES)
            if refused is None:
                reply = await connection.command("DATA")
                refused = _refused(reply, frozenset({354}), frozenset())
            if refused is not None:
                clean = reply.code != 421 and (await connection.command("RSET")).code == 250
                return refused
            await irreversible()
            answer = await _transmit(connection, prepared)
            clean = isinstance(answer, Sent)
        except Lost as lost:
            return None if reused else Retry(None, str(lost))
        else:
            return answer
        finally:
            self._pool.release(connection, clean=clean)


def _returns(bounce_address: str, sender: Address, verp: str) -> Address:
    """The envelope's sender. Raises ValueError."""
    try:
        returns = parse(bounce_address) if bounce_address else sender
    except BadAddress as error:
        raise ValueError(f"BOOMERANG_BOUNCE_ADDRESS={bounce_address!r}: {error}") from None
    if verp and (verp not in VERP_SIGNS or not bounce_address):
        raise ValueError(f"BOOMERANG_BOUNCE_VERP={verp!r}: write + or -, and set BOOMERANG_BOUNCE_ADDRESS")
    if verp and len(returns.local) > _MOST_LOCAL - 1 - CODE_DIGITS:
        raise ValueError(f"BOOMERANG_BOUNCE_ADDRESS={bounce_address!r}: its name is too long for a code behind it")
    return returns


def receipt_token(url: str) -> str:
    """The signed token of a message's receipts; it comes back with every bounce and complaint. "": none, or too long for a line."""
    token = parse_qs(urlsplit(url).query).get("t", [""])[0]
    return token if len(token) <= _MOST_TOKEN else ""


def _signer(keys: Sequence[str], domain: str, sender: str) -> "Signer | None":
    if not keys:
        return None
    from channels.dkim import Signer  # with what it stands on it takes 7 MB

    signer = Signer(keys, domain or sender)
    if not signer.speaks_for(sender):
        raise ValueError(
            f"BOOMERANG_DKIM_DOMAIN={domain!r} does not speak for {sender!r}, the domain of BOOMERANG_MAIL_FROM: "
            "it must be that domain or one above it"
        )
    return signer


async def _transmit(connection: Connection, prepared: bytes) -> Answer:
    try:
        reply = await connection.transmit(prepared)
    except Lost as lost:
        return Ambiguous(str(lost))
    if 200 <= reply.code < 300:
        return Sent(reply.text)
    refused = _refused(reply, frozenset(), frozenset())
    return refused if refused is not None and reply.code >= 400 else Ambiguous(str(reply))


def _sender_refused(reply: Reply) -> Answer | None:
    if reply.code == 250:
        return None
    return Misconfigured(str(reply)) if reply.code >= 500 else Retry(None, str(reply))


def _refused(reply: Reply, wanted: frozenset[int], dead: frozenset[int]) -> Answer | None:
    """What a refusal means: 5xx never, everything else not now. `dead`: codes that speak of the address if nothing more exact is said.

    The enhanced code (RFC 3463) is more exact: 5.1.x and 5.2.1 speak of the address, 5.7.x of policy, 5.2.2 of a full mailbox.
    """
    if reply.code in wanted:
        return None
    if not 500 <= reply.code < 600:
        return Retry(None, str(reply))
    enhanced = _ENHANCED.search(reply.text)
    suppress = (
        reply.code in dead if enhanced is None else enhanced[1] == "1" or (enhanced[1], enhanced[2]) == ("2", "1")
    )
    return Rejected(str(reply), suppress)
