"""What a customer was last there with, kept only where a condition asks for it. Pure."""

import msgspec

from app.model.device import KINDS, SYSTEMS
from app.model.event import Event
from tables.customer import Customer
from tables.engagement import Engagement, SeenWith
from tables.packed import PackedRows

_pack = msgspec.msgpack.Encoder().encode


def device_of(told: str) -> SeenWith | None:
    """The device of an event's `deviceKind`; None: it names none."""
    kind, _, system = told.partition(" ")
    return SeenWith(kind, system) if kind in KINDS and system in SYSTEMS else None


def note(customer: Customer, event: Event, at: float) -> None:
    """Note the device of an event that was applied, unless the customer was seen after it."""
    device = device_of(event.deviceKind)
    if device is None or at < customer.last_seen:
        return
    if customer.engagement is None:
        customer.engagement = Engagement()
    customer.engagement.seen_with = device


def is_noted(rows: PackedRows, key: str, told: str) -> bool:
    """Whether nothing is to be noted of the customer `key`, whose event tells of this device. Looks at the bytes of the row."""
    device = device_of(told)
    if device is None:
        return True
    row = rows.opened.get(key)
    if row is not None:
        return type(row) is Customer and row.engagement is not None and row.engagement.seen_with == device
    return _pack(device) in (rows.bytes_of(key) or b"")
