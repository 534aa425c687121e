"""One shopper of the demo who leaves a wish and reacts to nothing: a cascade goes to her over three channels. Pure.

The wish is told by the shop's back end; the scenario is `app/demo/wishlist.yaml`.
"""

from hashlib import blake2b

from app.demo.catalogue import PRODUCTS
from app.demo.stories import DOMAIN, Document, Shopper, Step, line

WISHED = "left a wish, and heard of it over three channels"
SCENARIO = "wishlist"
CHANNELS = ("email", "whatsapp", "sms")
"""In the order in which she hears of it."""
_WORDING = "Tell me about the things that I wish for"


def wisher(*, run: str, shop_url: str) -> Shopper:
    """The shopper. `run` makes her ids unique; her telephone number is of those that nobody has."""
    key = f"wanda-wishes-{run}"
    number = int.from_bytes(blake2b(run.encode(), digest_size=4).digest(), "big") % 1_000
    who = Shopper(WISHED, "Wanda", key, f"w-{key}", f"{key}{DOMAIN}", arrives=1.0, phone=f"+447700900{number:03}")
    agreed = {name: {"granted": True, "source": "demo shop", "wording": _WORDING} for name in CHANNELS}
    traits = {"email": who.email, "phone": who.phone, "firstName": who.name, "locale": "en", "consent": agreed}
    product = list(PRODUCTS.values())[-1]
    _say(who, 0.0, "server", {"type": "identify", "traits": traits})
    _say(who, 0.5, "browser", {"type": "track", "event": "Product Viewed", "properties": line(product, shop_url)})
    wish = {"product_id": product.id, "name": product.name}
    _say(who, 1.0, "server", {"type": "track", "event": "Product Added to Wishlist", "properties": wish})
    return who


def _say(who: Shopper, at: float, kind: str, event: Document) -> None:
    names = {"userId": who.user_id, "anonymousId": who.anonymous_id, "messageId": f"{who.user_id}-{len(who.steps)}"}
    who.steps.append(Step(at, kind, {**event, **names}))
