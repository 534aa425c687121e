"""What the demo shop's own server tells the collector, with the server key: addresses, consent, orders."""

import logging
import re
from hashlib import blake2b

from app.clock import Clock, moment
from app.demo.catalogue import CURRENCY, PRODUCTS
from app.demo.pages import Cart, total_of
from app.demo.sender import Document, NotSent, Sender
from app.demo.stories import WORDING, line

_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+")
_ID = re.compile(r"[A-Za-z0-9._\-]{1,80}")
log = logging.getLogger(__name__)


def address(text: str) -> str:
    """An e-mail address as it was typed, without spaces around it. Raises ValueError if it is none."""
    text = text.strip()
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise ValueError("This is not an e-mail address.")
    return text


def customer_id(email: str) -> str:
    """The shop's id of a customer: not the address itself."""
    return "c-" + blake2b(email.lower().encode(), digest_size=8).hexdigest()


def visitor(text: str) -> str:
    """The tracker's id of a visitor, as a form brought it; empty when it is none."""
    return text if _ID.fullmatch(text) else ""


class Backend:
    """Tells the collector. A collector that is away costs the event, never the page."""

    def __init__(self, sender: Sender, clock: Clock, shop_url: str) -> None:
        self._sender = sender
        self._clock = clock
        self._shop_url = shop_url

    async def subscribed(self, email: str, anonymous_id: str, *, name: str = "", consent: bool) -> str:
        """A visitor gave an address; returns the customer's id."""
        customer = customer_id(email)
        agreed = {"email": {"granted": consent, "source": "demo shop", "wording": WORDING}}
        traits: Document = {"email": email, "consent": agreed, "locale": "en"}
        if name:
            traits["name"] = name
        await self._tell(
            {"type": "identify", "userId": customer, "anonymousId": anonymous_id or None, "traits": traits}
        )
        return customer

    async def ordered(self, customer: str, anonymous_id: str, order_id: str, cart: Cart) -> None:
        """A customer has ordered."""
        products = [line(PRODUCTS[product_id], self._shop_url, pieces) for product_id, pieces in cart.items()]
        properties = {"order_id": order_id, "total": total_of(cart), "currency": CURRENCY, "products": products}
        told: Document = {"type": "track", "event": "Order Completed", "userId": customer, "properties": properties}
        await self._tell({**told, "anonymousId": anonymous_id or None})

    async def _tell(self, event: Document) -> None:
        now = self._clock.now()
        text = f"{event['type']}{event['userId']}{event.get('properties', {}).get('order_id', '')}{now!r}"
        message_id = blake2b(text.encode(), digest_size=16).hexdigest()
        try:
            await self._sender.send(
                "server", [{**event, "messageId": message_id, "timestamp": moment(now).isoformat()}]
            )
        except NotSent as error:
            log.warning("the collector did not take an event of the shop: %s", error)
