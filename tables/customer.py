"""State of one customer. Pure data; `tables/apply.py` changes it, `agents/decide.py` reads it.

Field order is the format of the changelog (array-like structs): new fields go to the end, with a default. Of `Customer` the last field
stays the last (`tables/activity.py`): what is new of a customer goes to the end of `Engagement`, or needs a new format (`tables/upcast.py`).
Limits on each list stand here, so that a row always fits a Kafka record.
"""

import msgspec

from tables.dialog import Dialog
from tables.engagement import Engagement, Journey
from tables.offers import Offers
from tables.ranking import Ranking
from tables.related import Related
from tables.views import ViewRing

SEARCHES = CATEGORIES = 5
CART_LINES = 100
ALIASES = 16
OPEN_TRIGGERS = 8
SENDS = 24
"""Messages that caps may count, or that orders may be owed to; older ones are forgotten."""
GOALS = 8
"""Orders of which it is known to which message they are owed, so that a refund takes them back from it."""
ENTERED = 16
"""Scenarios that one order is noted for."""
ORDER_IDS = 5
SHELF_ITEMS = 8
SEEN = 16
"""Digests of the last cart events, to drop repeated ones."""
REMOVED = 16
"""Products of which we remember that they were taken out of the cart."""

SHELF_PREFIX = "\x00shelf:"
"""Keys of shelves; no customer key may begin with a control character."""
SWEEP_PREFIX = "\x00sweep:"
"""Keys of sweeps."""
PLAN_PREFIX = "\x00plan:"
"""Keys of schedules, followed by the scenario's id."""


class CartLine(msgspec.Struct, array_like=True, gc=False):
    """A product in the cart; `at` is its last change, epoch seconds."""

    product_id: str
    quantity: float
    at: float
    price: float = 0.0
    name: str = ""
    category: str = ""
    url: str = ""
    image_url: str = ""


class Cart(msgspec.Struct, array_like=True, gc=False):
    """The cart's lines in the order in which they were added."""

    lines: list[CartLine]
    changed_at: float
    currency: str = ""


class CategoryView(msgspec.Struct, array_like=True, gc=False):
    """Enough products of one category were viewed within the window."""

    category: str
    at: float


class Search(msgspec.Struct, array_like=True, gc=False):
    """A search on the site; `results` is None where the shop does not tell."""

    query: str
    at: float
    results: int | None = None


class Orders(msgspec.Struct, array_like=True, gc=False):
    """Summary of all orders; `ids` are the last few, to count an order once."""

    count: int = 0
    total: float = 0.0
    first_at: float = 0.0
    last_at: float = 0.0
    ids: list[str] = []
    days: int = 0
    """Days (of UTC) with an order; of orders that come late only those of the first and last day are told apart for sure."""
    first_day: float = 0.0
    """What the orders of the first of these days came to."""
    discounted: int = 0
    """Orders with a discount or a coupon."""


class Device(msgspec.Struct, array_like=True, gc=False):
    """A browser or an app that notifications can be pushed to. `at` is when it was last told of, `vouched` whether by a server key.

    `address`: of `webpush` the subscription as `endpoint p256dh auth`, of `fcm` the token.
    """

    channel: str
    address: str
    at: float
    vouched: bool = False


class Asked(msgspec.Struct, array_like=True, gc=False):
    """A consent that was given and waits for its confirmation, with its proof: when (epoch seconds), from where, to which wording.

    `trigger` is that of the mail that asks, `address` where it went (lower case), `until` when it lapses; `over`: it has.
    """

    at: float
    until: float
    address: str
    trigger: str
    source: str = ""
    wording: str = ""
    over: bool = False


class Profile(msgspec.Struct, array_like=True, gc=False):
    """What the shop told of the customer."""

    email: str = ""
    phone: str = ""
    name: str = ""
    first_name: str = ""
    locale: str = ""
    timezone: str = ""
    city: str = ""
    at: float = 0.0
    """When the newest of this was told, epoch seconds."""
    messengers: dict[str, str] | None = None
    """Messenger -> `source:id`: where the customer has last been met there, and may be written to."""
    devices: list[Device] | None = None
    """See `tables/devices.py`."""
    device_timezone: str = ""
    """What the device says of itself."""
    asked: dict[str, Asked] | None = None
    """Channel, or channel and topic -> a consent that is not confirmed, and permits nothing (`agents/optin.py`)."""


class Armed(msgspec.Struct, array_like=True, gc=False):
    """A scenario that waits. `anchor` is the event it hangs on, `at` that event's time."""

    scenario: str
    version: int
    anchor: str
    at: float
    held: int = 0
    """Until when quiet hours have put it off (whole epoch seconds); 0: they have not."""


class Open(msgspec.Struct, array_like=True, gc=False):
    """A trigger that has fired and is not over: its message is with the sender, or its cascade waits.

    `stage` is the last one that was decided, `at` when, and `channel` over what it is or was spoken. `next_at` (whole epoch seconds)
    is when the next stage is to be decided; 0: the sender has the message, and tells in a receipt what became of it.
    """

    trigger_id: str
    scenario: str
    channel: str
    at: float
    anchor_at: float
    expires_at: float | int
    """Until when the sender may speak; a whole 0 once it has, which takes a byte."""
    cancelled: bool = False
    marketing: bool = True
    stage: int = 0
    next_at: int = 0
    ways: list[str] | None = None
    """Further channels that the stage may go over, while the sender has it."""
    home: str = ""
    """The customer's key when the sender got it, where that was another: there lies what can be called back."""
    version: int = 0
    """The scenario's version under which it fired; 0: it was written before versions were."""
    step: int = 0
    """The step of a journey that says it, counted from 1; 0: of none."""
    anchor: str = ""
    """That journey's anchor."""

    def is_of(self, journey: Journey) -> bool:
        """Whether it is a message of the journey."""
        return self.step > 0 and self.anchor == journey.anchor and self.scenario == journey.scenario

    @property
    def is_with_sender(self) -> bool:
        """Whether a message of it may be going out just now."""
        return not self.cancelled and not self.next_at


class Sent(msgspec.Struct, array_like=True, gc=False):
    """A message that was, or may have been, handed to a provider. `at` is when its trigger fired.

    Of each touch the first moment is kept, in whole epoch seconds; 0: none is known.
    """

    trigger_id: str
    scenario: str
    channel: str
    at: float
    marketing: bool = True
    stage: int = 0
    sent_at: int = 0
    delivered_at: int = 0
    opened_at: int = 0
    clicked_at: int = 0


class Permission(msgspec.Struct, array_like=True, gc=False):
    """Consent to one channel, with its proof: when, from where, to which wording. `asked_at`: when it was given, if `at` confirmed it."""

    granted: bool
    at: float = 0.0
    source: str = ""
    wording: str = ""
    asked_at: float = 0.0


class Customer(msgspec.Struct, array_like=True, gc=False, tag=1):
    """One customer. Times are epoch seconds; empty lists are None."""

    first_seen: float = 0.0
    last_seen: float = 0.0
    session_started: float = 0.0
    profile: Profile | None = None
    consent: dict[str, Permission] | None = None
    cart: Cart | None = None
    views: ViewRing | None = None
    categories: list[CategoryView] | None = None
    searches: list[Search] | None = None
    orders: Orders | None = None
    armed: list[Armed] | None = None
    open: list[Open] | None = None
    sends: list[Sent] | None = None
    fired: dict[str, float] | None = None
    """Scenario -> when it last fired."""
    suppressed: dict[str, str] | None = None
    """Channel -> why nothing may be sent over it."""
    aliases: list[str] | None = None
    """Anonymous keys that were claimed; an address is one without standing here."""
    seen: bytes = b""
    cart_known_at: float = 0.0
    """When a snapshot last said what the whole cart is."""
    removed: dict[str, float] | None = None
    """Product -> when it was taken out of the cart, for additions that arrive late."""
    engagement: Engagement | None = None
    dialogs: list[Dialog] | None = None
    """Stays the last field: see `tables/activity.py`."""

    def instance(self, scenario: str) -> Armed | None:
        """The scenario's armed instance, if there is one."""
        for item in self.armed or ():
            if item.scenario == scenario:
                return item
        return None


class ShelfItem(msgspec.Struct, array_like=True, gc=False):
    """A product of the shelf; `by` is the last viewer, `others` whether more than one customer has seen it."""

    product_id: str
    price: float
    at: float
    by: str
    others: bool = False
    name: str = ""
    url: str = ""
    image_url: str = ""


class Shelf(msgspec.Struct, array_like=True, gc=False, tag=2):
    """The cheapest products of one category that customers of this partition have seen, cheapest first."""

    items: list[ShelfItem] = []


class Changed(msgspec.Struct, array_like=True, gc=False):
    """What became of a product: `kind` is that of `app/model/catalogue.py`; `old_price` 0: nothing was known before."""

    id: str
    kind: str
    product_id: str
    price: float
    old_price: float = 0.0
    currency: str = ""


class Sweep(msgspec.Struct, array_like=True, gc=False, tag=4):
    """What the customers of a partition are looked through for, changes or a time that has come, and how far that is (`agents/sweeps.py`).

    `at` is when the changes were, or the time that had come, `due` when the next slice is looked at (epoch seconds). `after`: rows whose order is not above
    it were looked at.
    """

    id: str
    at: float
    changes: list[Changed]
    due: float
    after: int = -1
    scenario: str = ""
    """The scenario whose time has come; empty: there were changes."""


class Schedule(msgspec.Struct, array_like=True, gc=False, tag=5):
    """When a scenario's time comes next, `due` (epoch seconds), by its schedule as it was then (`agents/schedules.py`)."""

    scenario: str
    times: str
    due: float


class Pointer(msgspec.Struct, array_like=True, gc=False, tag=3):
    """Stands where a customer's state was before it moved to `owner`."""

    owner: str


Row = Customer | Shelf | Pointer | Sweep | Schedule | Ranking | Related | Offers
