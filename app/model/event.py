"""Behavioural events as they stand on the `clickstream` topic.

The record's value is Segment-shaped JSON with canonical (E-commerce v2) names; the collector has already corrected
the clock, coerced numbers and ids, and removed what the write key may not set. The record's key is the customer key.
"""

import re
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

ANONYMOUS = "anon:"
EMAIL = "email:"
PHONE = "phone:"
DIALOG = "dialog:"
ALERT = "alert:"
RESERVED_PREFIXES = (ANONYMOUS, EMAIL, PHONE, DIALOG, ALERT)
"""A `userId` must not begin with one of these: they name other kinds of customer key."""

CLOCK = "clock"
"""`type` of a record that only moves a partition's clock (stream time); never accepted over HTTP."""


class Line(msgspec.Struct, gc=False, omit_defaults=True):
    """One product of a cart, an order or a list. `price` is for one piece, in the event's currency."""

    product_id: str = ""
    name: str = ""
    price: float = 0.0
    quantity: float = 1.0
    category: str = ""
    brand: str = ""
    url: str = ""
    image_url: str = ""
    old_price: float = 0.0
    """What it cost before, where that is what is told of it; 0: nothing is."""


class Properties(msgspec.Struct, gc=False, omit_defaults=True):
    """What the core reads of an event's properties; other properties stay in the record and are skipped here."""

    product_id: str = ""
    name: str = ""
    price: float = 0.0
    quantity: float | None = None
    category: str = ""
    brand: str = ""
    url: str = ""
    image_url: str = ""
    cart_id: str = ""
    order_id: str = ""
    currency: str = ""
    total: float = 0.0
    query: str = ""
    results: int | None = None
    products: list[Line] | None = None
    discount: float = 0.0
    coupon: str = ""

    def line(self) -> Line:
        """The one product that the event itself tells of."""
        return Line(
            self.product_id,
            self.name,
            self.price,
            self.quantity or 1.0,
            self.category,
            self.brand,
            self.url,
            self.image_url,
        )

    def lines(self) -> list[Line]:
        """The products that the event names; where it has no list of them, the one that it tells of itself."""
        return self.products or [self.line()]


class Consent(msgspec.Struct, gc=False, omit_defaults=True):
    """Consent to one channel. `at` is epoch seconds; `source` and `wording` are the proof."""

    granted: bool
    at: float = 0.0
    source: str = ""
    wording: str = ""


class Traits(msgspec.Struct, gc=False, omit_defaults=True):
    """Profile of a customer. `email`, `phone` and `consent` arrive only with a server write key."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    first_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    city: str | None = None
    consent: dict[str, Consent] | None = None
    """Keys are channels (`email`), or a channel and a topic (`email:news`)."""
    device_timezone: str | None = None
    """What the device says of itself; `timezone` is what the customer, or the shop for him, has set."""
    custom: dict[str, str | float | bool] | None = None
    """Other traits that a server key told, such as `birthday`."""


class Event(msgspec.Struct, gc=False, omit_defaults=True):
    """One event. `timestamp` is the corrected event time; `event` is the canonical name of a `track`."""

    type: str
    timestamp: datetime
    event: str = ""
    messageId: str = ""
    userId: str | None = None
    anonymousId: str | None = None
    previousId: str | None = None
    properties: Properties | None = None
    traits: Traits | None = None
    source: str = "browser"
    """Kind of the write key: `browser` or `server`."""
    historical: bool = False
    """Of more than 24 hours ago when it arrived, or imported: updates orders and profile, arms nothing."""
    receivedAt: datetime | None = None
    push: str = ""
    """What the collector found in it of a device for notifications (`tables/devices.py`)."""
    deviceKind: str = ""
    """What the customer was there with: a kind and a system, as `mobile android` (`app/model/device.py`)."""


class Unread(msgspec.Struct, gc=False):
    """An object that is there; what is in it is passed over."""


T = TypeVar("T")


class Look(msgspec.Struct, Generic[T], gc=False):
    """As much of an event as says whether it means more than that the customer is there. What else it holds is not looked at."""

    type: str
    timestamp: T
    event: str = ""
    traits: Unread | None = None
    historical: bool = False
    push: str = ""
    messageId: str = ""
    userId: str | None = None
    anonymousId: str | None = None
    properties: Unread | None = None
    """These are read so that what is no event is none by a glance either; within properties nothing is."""


Glance = Look[datetime]
Hint = Look[str]
"""The same with the time as it is written."""


_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


def is_e164(phone: str) -> bool:
    """Whether a phone number is complete: only such a one can be written to, and names a customer."""
    return _E164.fullmatch(phone) is not None


def customer_key(user_id: str | None, anonymous_id: str | None) -> str:
    """Key of the customer that an event belongs to: the user, else the anonymous visitor.

    Raises ValueError when there is neither.
    """
    if user_id:
        return user_id
    if anonymous_id:
        return ANONYMOUS + anonymous_id
    raise ValueError("neither userId nor anonymousId")
