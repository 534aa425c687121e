"""What a mail to the bounce address tells: a delivery status (RFC 3464), a complaint (RFC 5965), or nothing to us. Pure.

Which message is meant stands in the part of it that a report brings back: its header `X-Boomerang-Receipt` is signed, so a report
that somebody has made up speaks of nobody, or of the one message that he got himself. Where nothing was brought back it is the code in
the address that the report went to, which likewise nobody knows but who got the message.
"""

import re
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from email.policy import compat32

from app.model.receipt import Outcome
from app.web.receipts.told import Told

NAME, CHANNEL, OK = "mail", "email", b'{"success":true}'
RECEIPT_HEADER = "X-Boomerang-Receipt"
MOST_BYTES = 1 << 20
"""Of a report that are looked at: what it brings back of the message may be cut."""
MOST_PARTS = 50
_MOST_MULTIPARTS = 50
"""In a mail, what it brings back included: each line is compared with the boundaries of all that are open."""
_MULTIPART = re.compile(rb"(?<![^\r\n])content-type:[\s\x1c-\x1f]*multipart/", re.IGNORECASE)
"""Where one begins, however its boundary is written. What a text says of boundaries is no structure."""
_MOST_DEPTH = 8
_DETAIL = 120
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b", re.ASCII)
_TOKEN = re.compile(rf"^{RECEIPT_HEADER}:[ \t]*(?:\r?\n[ \t]+)?([\w.=-]{{1,2048}})[ \t]*\r?$", re.ASCII | re.MULTILINE)
_WENT_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_LONGEST_HEADER = 1_000
_CODE = re.compile(r"[+-]([0-9a-f]{16})@", re.ASCII | re.IGNORECASE)
_COMPLAINTS = {"abuse": Outcome.COMPLAINED, "fraud": Outcome.COMPLAINED, "virus": Outcome.COMPLAINED}
_COMPLAINTS |= {"opt-out": Outcome.UNSUBSCRIBED, "opt-out-list": Outcome.UNSUBSCRIBED}
_BRINGS_BACK = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "text/rfc822", "message/global")


def read(document: object) -> list[Told]:
    """What a raw mail tells: one thing, or nothing. Raises nothing, whatever the mail is."""
    raw = document if isinstance(document, bytes) else b""
    raw = raw[:MOST_BYTES]
    if sum(1 for _ in _MULTIPART.finditer(raw)) > _MOST_MULTIPARTS:
        return []
    try:
        mail = message_from_bytes(raw, policy=compat32)
        parts, code = _parts(mail), _code(mail)
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError, TypeError):
        return []
    token = next(filter(None, map(_token, parts)), "")
    told = next(filter(None, map(_meaning, parts)), None)
    code = "" if token else code
    return [Told(told[0], provider_id=code, token=token, detail=told[1])] if told is not None and token + code else []


def _code(mail: Message) -> str:
    """The code in the address that the report was sent to, wherever the server has written that down."""
    headers = (str(value) for name in _WENT_TO for value in mail.get_all(name, [])[:MOST_PARTS])
    found = next(filter(None, (_CODE.search(value[:_LONGEST_HEADER]) for value in headers)), None)
    return found[1].lower() if found is not None else ""


def _parts(message: Message, depth: int = 0) -> list[Message]:
    """The report's parts in order, not what is inside of the message that comes back."""
    if depth > _MOST_DEPTH:
        return []
    payload = message.get_payload()
    if not isinstance(payload, list) or message.get_content_maintype() == "message":
        return [message]
    found: list[Message] = []
    for part in payload[:MOST_PARTS]:
        if isinstance(part, Message):
            found += _parts(part, depth + 1)
    return found[:MOST_PARTS]


def _token(part: Message) -> str:
    if part.get_content_type() not in _BRINGS_BACK:
        return ""
    payload = part.get_payload()
    if isinstance(payload, list):
        inner = payload[0] if payload else None
        value = inner.get(RECEIPT_HEADER, "") if isinstance(inner, Message) else ""
        return "".join(str(value).split())
    found = _TOKEN.search(_text(part))
    return found[1] if found else ""


def _text(part: Message) -> str:
    decoded = part.get_payload(decode=True)
    return decoded.decode("latin-1") if isinstance(decoded, bytes) else ""


def _meaning(part: Message) -> tuple[Outcome, str] | None:
    kind = part.get_content_type()
    if kind == "message/feedback-report":
        return _complaint(part)
    if kind not in ("message/delivery-status", "message/global-delivery-status"):
        return None
    payload = part.get_payload()
    blocks = [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []
    return next((found for block in blocks[:MOST_PARTS] if (found := _delivery(block))), None)


def _delivery(block: Message) -> tuple[Outcome, str] | None:
    """One recipient's fate. Only a status that speaks of the address itself is a bounce; the rest failed this time."""
    action = str(block.get("Action", "")).strip().lower()
    status = _STATUS.search(str(block.get("Status", "")))
    if status is None:
        return None
    detail = " ".join(f"{status[0]} {block.get('Diagnostic-Code', '')}".split())[:_DETAIL]
    if action in ("delivered", "relayed", "expanded"):
        return (Outcome.DELIVERED, detail) if action == "delivered" else None
    if action != "failed":
        return None
    dead = status[1] == "5" and (status[2] == "1" or (status[2], status[3]) == ("2", "1"))
    return Outcome.BOUNCED if dead else Outcome.FAILED, detail


def _complaint(part: Message) -> tuple[Outcome, str] | None:
    payload = part.get_payload()
    fields = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else None
    if fields is None:
        fields = message_from_bytes(_text(part).encode("latin-1", "replace"), policy=compat32)
    kind = str(fields.get("Feedback-Type", "")).strip().lower()
    outcome = _COMPLAINTS.get(kind)
    return (outcome, kind) if outcome is not None else None
