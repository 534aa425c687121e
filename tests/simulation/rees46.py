"""An independent batch script: which triggers the recording of REES46 must give. It imports nothing of the product.

It goes through each visitor's rows once. An hour after the last change of a cart the cart fires; three hours after the visitor
was last seen the products left behind do, unless the cart has fired within 16 hours or there was an order within 24 hours.
"""

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

RECORDING = Path(__file__).resolve().parents[3] / "shared" / "data" / "rees46-2019-10-01.csv.gz"

HOUR = 3600
FLUSH = 7 * 24 * HOUR


def rows(path=RECORDING):
    with gzip.open(path, "rt", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), 1):
            at = datetime.strptime(row["event_time"], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp()
            yield row["user_id"], at, row["event_type"], row["product_id"], f"rees46-{number}"


def expected(path=RECORDING):
    """{(customer, scenario): (anchor, due, products shown)}: nobody gets more than one in three hours of recording."""
    visitors = defaultdict(list)
    for user, *event in rows(path):
        visitors[user].append(event)
    out = {}
    for user, events in visitors.items():
        found = abandoned_cart(events) or abandoned_product(events)
        if found:
            out[user, found[0]] = found[1:]
    return out


def abandoned_cart(events):
    cart, anchor, changed = {}, None, None
    for at, kind, product, event_id in [*events, (events[-1][0] + FLUSH, "end", "", "")]:
        if changed is not None and changed + HOUR <= at:
            return "abandoned_cart", anchor, changed + HOUR, tuple(cart)
        if kind == "cart":
            cart[product] = cart.get(product, 0) + 1
            anchor, changed = event_id, at
        elif kind == "purchase":
            return None  # and nothing else for a day
    return None


def abandoned_product(events):
    last_seen = events[-1][0]
    if any(kind == "purchase" for _, kind, _, _ in events):
        return None
    viewed, carted, anchor = {}, set(), None
    for at, kind, product, event_id in events:
        if kind == "cart":
            carted.add(product)
        elif kind == "view" and viewed.get(product) != at:
            viewed.pop(product, None)
            viewed[product] = at
            if anchor is None or (at, event_id) > anchor:
                anchor = (at, event_id)
    left = [product for product in list(viewed)[-20:] if product not in carted]
    if not left:
        return None
    return "abandoned_product", anchor[1], last_seen + 3 * HOUR, tuple(reversed(left[-6:]))
