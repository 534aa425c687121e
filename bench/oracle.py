"""The exact triggers that our abandoned cart must give for the peers' stream, worked out without the engine. Slow and obvious.

    python -m bench.oracle KIT EVENTS CUSTOMERS OUT.json

The peers' job differs from ours in three rules, so each has an oracle of its own (theirs: KIT/oracle.py). Ours:

* `Product Added` puts one more of the product into the cart and arms the cart for 60 minutes; each further one moves the
  deadline. (As theirs.)
* `Product Removed` takes one away, the last one takes the line away, the last line disarms. It never moves the deadline. (As theirs.)
* `Order Completed` takes out what is not newer than it, and disarms. (As theirs: nothing is newer.)
* When the partition's clock reaches the deadline, one trigger goes out. The cart **stays**: the customer still has it. (Theirs
  is emptied, so their next trigger has new items only. This makes our rows and triggers larger, never smaller.)
* A trigger shows lines with quantities (theirs: one entry an addition), the newest 20 lines.
* An addition in the very millisecond of the customer's last order counts as bought. (Theirs: the order of the records decides.)
* No second trigger without a sign of life in between.
"""

import heapq
import json
import sys
from datetime import datetime
from pathlib import Path

WAIT_MS = 3_600_000
SHOWN = 20
PARTITIONS = 4
CART_LINES = 100


class Cart:
    def __init__(self):
        self.lines = {}
        """Product -> [quantity, time of the last addition]."""
        self.deadline = None
        self.ordered_at = -1
        self.fired_at = -1
        self.seen_at = -1


class Oracle:
    """Feed it the stream in its order; `found` has [customer, deadline in ms, {product: quantity}]."""

    def __init__(self):
        self.carts = {}
        self.heaps = [[] for _ in range(PARTITIONS)]
        self.found = []

    def feed(self, partition, value):
        event = json.loads(value)
        moment = datetime.fromisoformat(event["timestamp"])
        now = int(moment.timestamp()) * 1000 + moment.microsecond // 1000
        self.advance(self.heaps[partition], now)
        customer = event["userId"]
        cart = self.carts.get(customer)
        if cart is None:
            cart = self.carts[customer] = Cart()
        cart.seen_at = now
        name, properties = event["event"], event["properties"]
        if name == "Product Added":
            self.add(cart, customer, properties["product_id"], now, self.heaps[partition])
        elif name == "Product Removed":
            self.remove(cart, properties["product_id"])
        elif name == "Order Completed":
            cart.lines, cart.deadline, cart.ordered_at = {}, None, now

    def advance(self, heap, now):
        while heap and heap[0][0] <= now:
            deadline, customer = heapq.heappop(heap)
            cart = self.carts[customer]
            if cart.deadline != deadline:
                continue  # moved, or disarmed, since
            cart.deadline = None
            if cart.lines and cart.fired_at < cart.seen_at:
                newest = sorted(cart.lines.items(), key=lambda item: item[1][1])[-SHOWN:]
                self.found.append([customer, deadline, {product: line[0] for product, line in newest}])
                cart.fired_at = deadline

    def add(self, cart, customer, product, now, heap):
        if now <= cart.ordered_at:
            return
        line = cart.lines.setdefault(product, [0, now])
        line[0] += 1
        line[1] = now
        assert len(cart.lines) <= CART_LINES, "the engine would have begun to forget lines"
        cart.deadline = now + WAIT_MS
        heapq.heappush(heap, (cart.deadline, customer))

    def remove(self, cart, product):
        line = cart.lines.get(product)
        if line is None:
            return
        line[0] -= 1
        if not line[0]:
            del cart.lines[product]
            if not cart.lines:
                cart.deadline = None


def expected(kit, events, customers):
    """The triggers, by the stream that the kit itself makes."""
    sys.path.insert(0, str(kit))
    import stream

    oracle = Oracle()
    for partition, _key, value in stream.events(events, customers):
        oracle.feed(partition, value)
    return oracle.found


def compare(triggers, wanted):
    """Counts of missing, wrong, duplicate and extra triggers: `triggers` are (customer, deadline in ms, items)."""
    want = {(customer, deadline): items for customer, deadline, items in wanted}
    good, bad, duplicate = set(), {}, 0
    for customer, deadline, items in triggers:
        key = customer, deadline
        if want.get(key) == items:
            duplicate += key in good
            good.add(key)
        else:
            bad.setdefault(key, []).append(items)
    wrong = [key for key in bad if key in want and key not in good]
    return {
        "triggers": len(triggers),
        "missing": len(want) - len(good) - len(wrong),
        "wrong": len(wrong),
        "duplicate": duplicate,
        "extra": sum(map(len, bad.values())) - len(wrong),
    }


if __name__ == "__main__":
    Path(sys.argv[4]).write_text(json.dumps(expected(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
