"""The `chat` topic applied to the rows of a step: the shell of `agents/dialogs` inside the behaviour agent. Pure.

A client whom only a messenger knows moves to the key of the phone, the address or the user that the provider vouches for: from
`dialog:` to `phone:` to `email:` to the user, never back, so that pointers lead one way.
"""

from collections.abc import Callable

import msgspec

from agents.addresses import met
from agents.decide import Decider
from agents.dialogs.decide import Dialogs
from agents.dialogs.outcome import Outcome
from agents.outbox import hand_over
from app.codec import decode_chat, encode_json
from app.model.chat import ChatCommand, ChatEvent, ChatKind, ChatRecord, Speaker
from app.model.event import DIALOG, EMAIL, PHONE, RESERVED_PREFIXES, Event, is_e164
from app.model.journal import JournalLine
from app.model.link import Link, Move
from app.model.reasons import Reason
from app.model.receipt import Receipt
from app.model.trigger import ALERTS
from app.topics import CHAT, DIALOGS, partition_of
from tables.bounds import IDENTIFIER, TooLargeError, check_size
from tables.customer import SHELF_PREFIX, Customer, Pointer, Profile
from tables.identity import depart
from tables.step import Batch, Record, Step
from tables.talk import BEGINS

_pack = msgspec.msgpack.Encoder().encode

LASTING = BEGINS | {ChatKind.CONSENT}
"""Kinds that leave something of a client who is not known; of the others nothing would ever be forgotten."""

Forwarding = Callable[[Step, str, str, bytes, str, str, int], None]
"""(step, alias, owner, record, topic, event id, hops): a late record goes after a state that has moved."""
Linking = Callable[[Step, str, Link], None]
Journaling = Callable[[Step, JournalLine], None]


class Chat:
    """Dialogs over the rows of a step. `forward`, `link` and `journal` are the behaviour agent's ways out."""

    def __init__(
        self,
        dialogs: Dialogs,
        decider: Decider,
        partitions: int,
        *,
        forward: Forwarding,
        link: Linking,
        journal: Journaling,
        advance: Callable[[Step, float], None] | None,
    ) -> None:
        """`advance` moves a partition's clock on (stream time only)."""
        self._dialogs, self._decider, self._partitions = dialogs, decider, partitions
        self._forward, self._link, self._journal, self._advance = forward, link, journal, advance

    def on_record(self, step: Step, record: Record, _batch: Batch) -> None:
        """Apply a record of the topic. Raises ValueError for one that cannot be used."""
        check_size(record.key, record.value or b"")
        item = decode_chat(record.value or b"")
        if isinstance(item, ChatEvent) and len(item.dialog) + len(item.event_id) > IDENTIFIER:
            raise TooLargeError(f"ids of {len(item.dialog) + len(item.event_id)} characters; {IDENTIFIER} are allowed")
        if not record.key:
            raise ValueError("the record has no key")
        key = record.key.decode()
        if key.startswith(SHELF_PREFIX[0]):
            raise ValueError("a customer's key cannot begin with NUL")
        if self._advance is not None and item.at > step.clock:
            self._advance(step, item.at)
        self.apply(step, key, item, record.value or b"", 0)

    def apply(self, step: Step, key: str, item: ChatRecord, raw: bytes, hops: int) -> None:
        """Apply an event or a command of the customer `key`, or send it after the state that has moved."""
        row = step.rows.get(key)
        if type(row) is Pointer:
            self._forward(step, key, row.owner, raw, CHAT.name, item.event_id, hops)
        elif isinstance(item, ChatEvent):
            if row is None:
                if item.kind not in LASTING:
                    return
                row = step.rows[key] = Customer()
            _know(key, row, item)
            met(row, item)
            talked = _is_talking(row)
            out = self._dialogs.on_chat(key, row, item)
            if row.open is not None and item.kind is ChatKind.MESSAGE and item.speaker is Speaker.CLIENT:
                answered = self._decider.answered(key, row, item.provider, item.at)
                out.reasons += answered.reasons
                for cancel in answered.cancelled:
                    hand_over(step, key, cancel, self._partitions)
            if not talked and _is_talking(row):
                out.reasons += self._decider.held(key, row, item.event_id, item.at)
            self._settle(step, key, row, out, item.at, item.user_id)
        elif type(row) is Customer:
            self._settle(step, key, row, self._dialogs.on_command(key, row, item), item.at)
        else:
            self._journal(step, _unknown(key, item))

    def on_visit(self, step: Step, key: str, row: Customer, event: Event, at: float) -> None:
        """An event on the site of a customer who has dialogs; it has been applied, and the row is touched."""
        out = self._dialogs.on_visit(key, row, event, at)
        if out is not None:
            self._publish(step, key, row, out)

    def on_due(self, step: Step, key: str, row: Customer, now: float, until: float) -> None:
        """The timer of a customer who has dialogs came up."""
        out = self._dialogs.on_due(key, row, now, until)
        if out.views or out.reasons:
            step.touch(key)
        if row.dialogs is None and key.startswith((DIALOG, PHONE, EMAIL)) and _is_empty(row):
            step.delete(key)
        self._publish(step, key, row, out)

    def moved(self, step: Step, key: str, row: Customer, at: float) -> None:
        """A state with dialogs has moved here."""
        out = self._dialogs.moved(key, row, at)
        out.reasons += self._decider.held(key, row, "", at)
        self._settle(step, key, row, out, at)

    def is_of_alert(self, receipt: Receipt) -> bool:
        """Whether a receipt is about a message to the team: it says nothing of the customer's own address."""
        return receipt.trigger_id.startswith(ALERTS) or receipt.scenario in self._dialogs.scenarios

    def wake_of(self, row: Customer) -> float | None:
        """The earliest deadline of a customer's dialogs and scenarios."""
        return min(filter(None, (self._dialogs.wake_of(row), self._decider.wake_of(row))), default=None)

    def _settle(self, step: Step, key: str, row: Customer, out: Outcome, at: float, user_id: str = "") -> None:
        """Publish, and take the state home where it is known who the client is."""
        step.touch(key)
        self._publish(step, key, row, out)
        home = _home_of(key, row, user_id)
        if home:
            step.wake(key, None)
            depart(row, key)
            self._link(step, home, Move(key, home, _pack(row), at))
            self._journal(step, JournalLine(at, key, Reason.MOVED_AWAY, detail={"owner": home}))
            step.put(key, Pointer(home))

    def _publish(self, step: Step, key: str, row: Customer, out: Outcome) -> None:
        if key in step.rows:
            # what a dialog holds may be due before, now that it is over
            wake = self.wake_of(row) if row.armed is not None else out.wake_at
            if wake is not None:
                step.wake(key, wake)
        for trigger in out.fired:
            hand_over(step, key, trigger, self._partitions)
        for update in out.updates:
            hand_over(step, key, update, self._partitions)
        for claim in out.claims:
            self._link(step, claim.alias, claim)
        for release in out.releases:
            self._link(step, release.alias, release)
        for name, view in out.views.items():
            value = None if view is None else encode_json(view)
            step.send(DIALOGS.name, name, value, partition_of(name, self._partitions))
        for line in out.reasons:
            self._journal(step, line)


def _know(key: str, row: Customer, event: ChatEvent) -> None:
    """What a messenger tells of a client fills gaps, as long as the shop does not know who it is."""
    if not (event.name or event.phone or event.email) or not key.startswith(RESERVED_PREFIXES):
        return
    profile = row.profile = row.profile or Profile()
    profile.name = profile.name or event.name[:200]
    profile.phone = profile.phone or event.phone[:200]
    profile.email = profile.email or event.email[:200]


def _home_of(key: str, row: Customer, user_id: str) -> str:
    """The key that the customer's state belongs to, if that is another one."""
    if not key.startswith((DIALOG, PHONE, EMAIL)):
        return ""
    if user_id and not user_id.startswith((*RESERVED_PREFIXES, SHELF_PREFIX[0])):
        return user_id
    profile = row.profile
    if profile is None:
        return ""
    if key.startswith(DIALOG) and is_e164(profile.phone):
        return PHONE + profile.phone
    return EMAIL + profile.email.lower() if profile.email and not key.startswith(EMAIL) else ""


def _is_talking(row: Customer) -> bool:
    return any(not dialog.over for dialog in row.dialogs or ())


def _is_empty(row: Customer) -> bool:
    """Whether nothing but dialogs, and what was told in them, has ever been known of the customer."""
    return not (row.first_seen or row.orders or row.cart or row.consent or row.armed or row.open)


def _unknown(key: str, command: ChatCommand) -> JournalLine:
    detail: dict[str, str | float | int] = {"command": command.kind.value, "alert": command.alert[:40]}
    return JournalLine(command.at, key, Reason.UNKNOWN_ALERT, event_id=command.event_id, detail=detail)
