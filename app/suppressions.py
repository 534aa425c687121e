"""Suppression lists as people keep them: lines of CSV or JSON, and what each means for the ledger. Pure; `now` is an argument.

The ledger knows addresses by their digest. A list that was exported has digests too, so it can be imported into another installation;
a list of one's own has addresses.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import StringIO
from typing import Any, NamedTuple

from app.model.reasons import Reason
from app.web.phone import phone
from channels.address import BadAddress, digest, parse
from channels.ledger import Standing

CHANNELS = ("email", "sms", "whatsapp", "telegram", "vk", "webpush", "fcm", "webhook")
"""Channels to customers."""
PHONES = ("sms", "whatsapp")
FIELDS = ("channel", "address", "digest", "reason", "scope", "since")
FORMATS = ("csv", "jsonl")
SCOPES = {"everything": True, "marketing": False}
"""Scope -> whether transactional messages are held back too."""
WORDS = {
    "bounced": (Reason.SUPPRESSED, True),
    "complained": (Reason.SUPPRESSED, False),
    "unsubscribed": (Reason.UNSUBSCRIBED, False),
    "suppressed": (Reason.SUPPRESSED, False),
}
"""Reason in a list -> the ledger's, and whether it holds everything back where the line does not say."""
LONGEST_LINE = 8_192
LONGEST_ADDRESS = 4_096
_DIGEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
_EARLIEST = 946_684_800.0  # the year 2000


class Entry(NamedTuple):
    """An address on the list. `keys` are the ledger's; two where an address can be spelled in two ways. `at` is epoch seconds."""

    keys: tuple[str, ...]
    reason: str
    everything: bool
    at: float


class BadLine(NamedTuple):
    """A line that cannot be used: its number in the file, and why."""

    number: int
    why: str


def read(lines: Iterable[str], form: str, channel: str, now: float, country: str = "") -> Iterator[Entry | BadLine]:
    """The entries of a list in `csv` (with a head) or `jsonl`. `channel` is meant where a line names none ("": each must).

    `country` completes national phone numbers. Empty lines are passed over.
    """
    rows = _csv_rows(lines) if form == "csv" else _json_rows(lines)
    for number, row in rows:
        if isinstance(row, str):
            yield BadLine(number, row)
            continue
        try:
            yield entry(row, channel, now, country)
        except ValueError as error:
            yield BadLine(number, str(error))


def entry(row: Mapping[str, Any], channel: str, now: float, country: str = "") -> Entry:
    """What a line means. Raises ValueError with what is wrong with it."""
    unknown = [name for name in row if name not in FIELDS]
    if unknown:
        raise ValueError(f"{unknown[0][:40]!r} is not one of {', '.join(FIELDS)}")
    told = {name: _text(row, name) for name in FIELDS}
    channel = told["channel"] or channel
    if channel not in CHANNELS:
        raise ValueError(
            f"the channel must be one of {', '.join(CHANNELS)}" + (f", not {channel[:40]!r}" if channel else "")
        )
    word = told["reason"] or "unsubscribed"
    if word not in WORDS:
        raise ValueError(f"the reason must be one of {', '.join(WORDS)}, not {word[:40]!r}")
    reason, everything = WORDS[word]
    if told["scope"]:
        if told["scope"] not in SCOPES:
            raise ValueError(f"the scope must be {' or '.join(SCOPES)}, not {told['scope'][:40]!r}")
        everything = SCOPES[told["scope"]]
    return Entry(_keys(channel, told, country), reason, everything, _since(told["since"], now))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if type(value) in (int, float) and name in ("since", "address"):
        return str(value)
    if type(value) is not str:
        raise ValueError(f"{name} must be a text")
    return value.strip()


def _keys(channel: str, told: Mapping[str, str], country: str) -> tuple[str, ...]:
    if bool(told["address"]) == bool(told["digest"]):
        raise ValueError("either an address or a digest is needed")
    if told["digest"]:
        if not _DIGEST.fullmatch(told["digest"]):
            raise ValueError("the digest must be 32 hexadecimal digits, as an export has it")
        return (f"a:{channel}:{told['digest']}",)
    spellings = dict.fromkeys(spelled(channel, told["address"], country))
    return tuple(f"a:{channel}:{digest(address)}" for address in spellings)


def spelled(channel: str, address: str, country: str = "") -> tuple[str, ...]:
    """How an address may stand in a message. Raises ValueError for one that no message can go to."""
    if channel == "email":
        try:
            return address, str(parse(address))
        except BadAddress as error:
            raise ValueError(f"not an e-mail address: {error}") from None
    if channel in PHONES:
        try:
            number = phone(address, country)
        except (ValueError, TypeError):
            number = ""
        if not number.startswith("+"):
            raise ValueError("not a phone number with its country, such as +79161234567")
        return (number,)
    if len(address) > LONGEST_ADDRESS or not address.isprintable():
        raise ValueError("not an address")
    return (address,)


def _since(told: str, now: float) -> float:
    """Epoch seconds of a moment, `now` for none. Raises ValueError for one that cannot be."""
    if not told:
        return now
    try:
        at = float(told)
    except ValueError:
        try:
            moment = datetime.fromisoformat(told)
        except ValueError:
            raise ValueError("since must be a date such as 2026-11-25 or 2026-11-25T10:00:00Z") from None
        at = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    if not _EARLIEST <= at <= now + 86_400.0:
        raise ValueError("since must lie between the year 2000 and now")
    return min(at, now)


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    head: list[str] | None = None
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            yield number, f"longer than {LONGEST_LINE} characters"
            continue
        try:
            cells = next(csv.reader([line.lstrip("\ufeff") if number == 1 else line]), [])
        except csv.Error as error:
            yield number, f"not a line of CSV: {error}"[:120]
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if head is None:
            head = [cell.strip().lower() for cell in cells]
            if not {"address", "digest"} & set(head):
                yield (
                    number,
                    f"the first line must name the columns, of {', '.join(FIELDS)}; address or digest must be there",
                )
                return
        elif len(cells) != len(head):
            yield number, f"{len(cells)} cells where the first line has {len(head)}"
        else:
            yield number, dict(zip(head, cells, strict=True))


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            yield number, f"longer than {LONGEST_LINE} characters"
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield number, row if isinstance(row, dict) else "not a JSON object"


def written(key: str, standing: Standing, form: str) -> str:
    """The line of an address on the list, for an export."""
    _, channel, known = key.split(":", 2)
    word = (
        "unsubscribed"
        if standing.suppressed == Reason.UNSUBSCRIBED
        else "bounced"
        if standing.everything
        else "suppressed"
    )
    since = datetime.fromtimestamp(standing.suppressed_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    row = {
        "channel": channel,
        "digest": known,
        "reason": word,
        "scope": "everything" if standing.everything else "marketing",
        "since": since,
    }
    if form == "jsonl":
        return json.dumps(row)
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(row.values())
    return line.getvalue()


HEAD = "channel,digest,reason,scope,since"
"""First line of an export as CSV."""
