"""Moves of state between keys: the `links` topic applied to the rows of a step (see `app/model/link.py`). Pure."""

from collections.abc import Callable

import msgspec

from agents.chat import Chat, Forwarding, Journaling, Linking
from agents.decide import Decider
from agents.decision import Decision
from agents.erasing import erase
from app.codec import decode_chat, decode_event, decode_link, decode_receipt, encode_json
from app.model.event import ALERT, EMAIL, RESERVED_PREFIXES, Event
from app.model.journal import JournalLine
from app.model.link import Changes, Claim, Erase, Forward, Link, Move, Offered, Release
from app.model.reasons import Reason
from app.model.receipt import Receipt
from app.topics import CHAT, CLICKSTREAM, LINKS
from tables import offers
from tables.customer import Customer, Pointer, Row
from tables.identity import depart
from tables.step import Batch, Record, Step
from tables.upcast import current

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Customer).decode


class Links:
    """Claims, moves, forwarded records, releases and erasures. All but `decider` and `chat` are the behaviour agent's ways out and in."""

    def __init__(
        self,
        decider: Decider,
        chat: Chat,
        *,
        link: Linking,
        journal: Journaling,
        publish: Callable[[Step, str, Decision], None],
        event: Callable[[Step, str, Event, float, bytes, int], None],
        receipt: Callable[[Step, str, Row | None, Receipt], None],
        forward: Forwarding,
        changes: Callable[[Step, Changes], None],
        partitions: int,
    ) -> None:
        self._decider, self._chat = decider, chat
        self._link, self._journal, self._publish, self._forward = link, journal, publish, forward
        self._event, self._receipt, self._partitions = event, receipt, partitions
        self._changes = changes

    def on_record(self, step: Step, record: Record, _batch: Batch) -> None:
        """Apply a record of the topic."""
        link: Link = decode_link(record.value or b"")
        if isinstance(link, Claim):
            self._on_claim(step, link)
        elif isinstance(link, Move):
            self._on_move(step, link)
        elif isinstance(link, Release):
            if type(step.rows.get(link.alias)) is Pointer:
                step.delete(link.alias)
        elif isinstance(link, Changes):
            self._changes(step, link)
        elif isinstance(link, Offered):
            offers.take(step, link)
        elif isinstance(link, Erase):
            for further, number in erase(step, link, self._partitions):
                step.send(LINKS.name, further.customer, encode_json(further), number)
        else:
            self._on_forward(step, link)

    def _on_claim(self, step: Step, claim: Claim) -> None:
        row = step.rows.get(claim.alias)
        if type(row) is Pointer and not claim.alias.startswith(ALERT):
            self._claim_again(step, claim, row.owner)
            return
        if type(row) is Customer:
            step.wake(claim.alias, None)
            depart(row, claim.alias)
            self._link(step, claim.owner, Move(claim.alias, claim.owner, _pack(row), claim.at))
            detail: dict[str, str | float | int] = {"owner": claim.owner}
            line = JournalLine(claim.at, claim.alias, Reason.MOVED_AWAY, event_id=claim.event_id, detail=detail)
            self._journal(step, line)
        step.put(claim.alias, Pointer(claim.owner))

    def _claim_again(self, step: Step, claim: Claim, owner: str) -> None:
        """A key that has an owner already."""
        if owner == claim.owner:
            return
        if owner.startswith(RESERVED_PREFIXES):  # no user's yet: whoever has the phone has what its address has
            # which may refuse, so that the phone goes on leading where its address leads
            self._link(step, owner, Claim(owner, claim.owner, claim.at, claim.event_id))
            return
        detail: dict[str, str | float | int] = {"alias": claim.alias, "owner": owner}
        line = JournalLine(claim.at, claim.owner, Reason.LINK_REFUSED, event_id=claim.event_id, detail=detail)
        self._journal(step, line)

    def _on_move(self, step: Step, move: Move) -> None:
        row = step.rows.get(move.owner)
        if type(row) is Pointer:
            self._link(step, row.owner, Move(move.alias, row.owner, move.state, move.at))
            return
        if row is None:
            row = step.rows[move.owner] = Customer()
        decision = self._decider.merge(move.owner, row, move.alias, _unpack(current(move.state)), move.at)
        step.touch(move.owner)
        if decision.wake_at is not None:
            step.wake(move.owner, decision.wake_at)
        self._publish(step, move.owner, decision)
        if row.dialogs is not None:
            self._chat.moved(step, move.owner, row, move.at)

    def _on_forward(self, step: Step, link: Forward) -> None:
        row = step.rows.get(link.owner)
        if link.topic == CLICKSTREAM.name:
            event = decode_event(link.record)
            event.messageId = event.messageId or link.event_id
            at = event.timestamp.timestamp()
            if not link.owner.startswith(EMAIL) or (type(row) is Pointer and row.owner != link.alias):
                self._event(step, link.owner, event, at, link.record, link.hops)
            elif (
                type(row) is Customer and row.dialogs is not None
            ):  # no user's yet: the order is counted where it was made
                step.touch(link.owner)
                self._chat.on_visit(step, link.owner, row, event, at)
        elif link.topic == CHAT.name:
            self._chat.apply(step, link.owner, decode_chat(link.record), link.record, link.hops)
        elif type(row) is Pointer:
            self._forward(step, link.owner, row.owner, link.record, link.topic, link.event_id, link.hops)
        else:
            self._receipt(step, link.owner, row, decode_receipt(link.record))
