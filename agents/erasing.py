"""Erasure on request: the customer's row, what stands under other keys of the same person, messages and lines about them. Pure.

One `Erase` record a key goes through the single writer, like everything else. It deletes the row and follows the keys that it
names, and those that point to it, in all partitions; in the same step it asks the sender to forget the key's messages, and the
journal its lines.
"""

import msgspec

from agents.addresses import addresses_of
from app.codec import encode_json
from app.model.event import EMAIL, PHONE, is_e164
from app.model.journal import JournalLine
from app.model.link import Erase
from app.model.reasons import Reason
from app.model.trigger import Erasure
from app.topics import DIALOGS, JOURNAL, OUTBOX, partition_of
from channels.ledger import address_key
from tables.customer import SHELF_PREFIX, Customer, Pointer, Profile, Shelf
from tables.step import Step

_pack = msgspec.msgpack.Encoder().encode


def erase(step: Step, link: Erase, partitions: int) -> list[tuple[Erase, int]]:
    """Erase one key in its partition; returns what has to be erased elsewhere, each with its partition."""
    if link.sweep:
        for name in _pointers_to(step, link.customer):
            _forget(step, name, link.at, [])
        return []
    row = step.rows.get(link.customer)
    follow: list[tuple[Erase, int]] = []
    addresses: list[str] = []
    if isinstance(row, Pointer):
        follow = [(Erase(row.owner, link.at), partition_of(row.owner, partitions))]
        if link.customer.startswith((EMAIL, PHONE)):  # a messenger's key may lead here, and not to the customer
            follow += _sweeps(link, partitions)
    elif isinstance(row, Customer):
        follow = [(Erase(key, link.at), partition_of(key, partitions)) for key in keys_of(row)]
        follow += _sweeps(link, partitions)
        devices = (row.profile.devices if row.profile is not None else None) or ()
        known = {*addresses_of(row, link.customer).items(), *((item.channel, item.address) for item in devices)}
        addresses = sorted(address_key(*item) for item in known)
        for dialog in row.dialogs or ():
            step.send(DIALOGS.name, dialog.key, None, partition_of(dialog.key, partitions))
    _leave_shelves(step, link.customer)
    _forget(step, link.customer, link.at, addresses)
    return follow


def _sweeps(link: Erase, partitions: int) -> list[tuple[Erase, int]]:
    return [(Erase(link.customer, link.at, sweep=True), number) for number in range(partitions)]


def keys_of(customer: Customer) -> list[str]:
    """The other keys that a customer's row names: visitors that were claimed, and the addresses."""
    profile = customer.profile or Profile()
    addresses = [EMAIL + profile.email.lower()] if profile.email else []
    addresses += [PHONE + profile.phone] if is_e164(profile.phone) else []
    return [*(customer.aliases or ()), *addresses]


def pointer_to(owner: str) -> bytes:
    """The bytes of a pointer's row."""
    return _pack(Pointer(owner))


def _forget(step: Step, key: str, at: float, addresses: list[str]) -> None:
    if key in step.rows:
        step.delete(key)
    step.send(OUTBOX.name, key, encode_json(Erasure(key, at, addresses)))
    step.send(JOURNAL.name, key, encode_json(JournalLine(at, key, Reason.ERASED)))


def _leave_shelves(step: Step, key: str) -> None:
    """The products stay on offer; that this customer looked at them is forgotten."""
    for name in [name for name in step.rows if name.startswith(SHELF_PREFIX)]:
        shelf = step.rows[name]
        if isinstance(shelf, Shelf) and any(item.by == key for item in shelf.items):
            for item in shelf.items:
                if item.by == key:
                    item.by, item.others = "", True
            step.touch(name)


def _pointers_to(step: Step, owner: str) -> list[str]:
    """Keys of this partition that lead to `owner`. Compares the bytes of all rows (pointers are never frozen), and looks at what this step has changed."""
    wanted = pointer_to(owner)
    packed = step.packed
    found = [] if packed is None else [key for key, cell in packed.cells.items() if cell.packed == wanted]
    fresh = [key for key in step.changed if key not in found]
    return found + [key for key in fresh if isinstance(row := step.rows.get(key), Pointer) and row.owner == owner]
