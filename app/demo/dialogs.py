"""Two dialogs of the demo: one falls silent over a full cart and ends with an order, the other waits for its first answer. Pure.

They are told by the shop's chat through the collector (`Live Chat ...` of the Segment spec), and play out on the board and in the inbox.
"""

from app.demo.catalogue import CURRENCY, PRODUCTS
from app.demo.stories import DOMAIN, Document, Shopper, Step, line

SILENT_BUYER, WAITING = TALKS = ("went silent in a dialog, then bought", "waited for an answer in a dialog")
MANAGER, MANAGER_NAME = "anna", "Anna"
_QUESTION = "Hello! Does the lamp come with a bulb, and can I have it by Friday?"
_ANSWER = "It does, and we deliver on Thursday. Shall I reserve it for you?"
_WAITS = "Do you also make this in blue?"
_LATE = "Yes, in two shades of blue. Which one do you like?"


def talkers(*, run: str, shop_url: str) -> list[Shopper]:
    """The two clients. `run` makes their ids unique."""
    return [_silent_buyer(run, shop_url), _waiting(run)]


class _Talk:
    """Writes down what a client and a manager do."""

    def __init__(self, story: str, name: str, run: str, arrives: float) -> None:
        key = f"{name.lower()}-talks-{run}"
        self.shopper = Shopper(story, name, key, f"t-{key}", f"{key}{DOMAIN}", arrives)
        identity = {"email": self.shopper.email, "firstName": name, "name": name, "locale": "en"}
        self.say(0.0, "server", {"type": "identify", "traits": identity})

    def track(self, at: float, event: str, properties: Document, kind: str = "server") -> None:
        self.say(at, kind, {"type": "track", "event": event, "properties": properties})

    def chat(self, at: float, text: str, *, by_manager: bool = False) -> None:
        """A word of the client or of the manager."""
        told = {"conversation_id": self.shopper.user_id, "message_body": text}
        if by_manager:
            answer = {**told, "agent_id": MANAGER, "agent_name": MANAGER_NAME}
            self.track(at, "Live Chat Message Received", answer)
        else:
            self.track(at, "Live Chat Message Sent", told)

    def say(self, at: float, kind: str, event: Document) -> None:
        who = self.shopper
        names = {"userId": who.user_id, "anonymousId": who.anonymous_id, "messageId": f"{who.user_id}-{len(who.steps)}"}
        who.steps.append(Step(at, kind, {**event, **names}))


def _silent_buyer(run: str, shop_url: str) -> Shopper:
    talk = _Talk(SILENT_BUYER, "Olga", run, 2.0)
    products = list(PRODUCTS.values())[:2]
    for number, product in enumerate(products):
        talk.track(0.5 + number, "Product Viewed", line(product, shop_url), "browser")
        talk.track(0.8 + number, "Product Added", line(product, shop_url, 2), "browser")
    talk.chat(3.0, _QUESTION)
    talk.chat(4.5, _ANSWER, by_manager=True)
    talk.track(
        28.0, "Product Viewed", line(products[0], shop_url), "browser"
    )  # back on the site: the alert is worth more
    lines = [line(product, shop_url, 2) for product in products]
    total = round(sum(item["price"] * item["quantity"] for item in lines), 2)
    order = {"order_id": f"O-{talk.shopper.user_id}", "total": total, "currency": CURRENCY, "products": lines}
    talk.track(45.0, "Order Completed", order)
    return talk.shopper


def _waiting(run: str) -> Shopper:
    talk = _Talk(WAITING, "Pavel", run, 4.0)
    talk.chat(1.0, _WAITS)
    talk.chat(20.0, _LATE, by_manager=True)
    return talk.shopper
