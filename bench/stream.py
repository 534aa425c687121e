"""A deterministic backlog of shop events: 420-byte records as the collector writes them.

Customers are drawn by a flattened Zipf law, time spans some hours, and one event in seven concerns a cart or an order.
"""

import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from app.topics import partition_of

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("page", "view", "add", "remove", "search", "order")
WEIGHTS = (55, 25, 8, 2, 6, 4)
CATEGORIES = ("shoes", "jackets", "bags", "lamps", "chairs", "phones", "toys", "books")
HEAD = '{"type":"%s","event":"%s","messageId":"m-%012x","anonymousId":"a-%012x","userId":"%s","timestamp":"%s",'
PRODUCT = (
    '"properties":{"product_id":"%s","sku":"SKU-%s","name":"Product number %s","category":"%s",'
    '"price":%.1f,"quantity":1,"url":"https://shop.example/p/%s"},'
)
CONTEXT = (
    '"context":{"page":{"path":"%s","referrer":"https://shop.example/","title":"Shop"},'
    '"userAgent":"Mozilla/5.0 (X11; Linux x86_64)"}}'
)


def events(count, customers=100_000, seed=1, hours=6.0, partitions=4):
    """Yield (partition, key, value) of `count` events, then one clock record a partition that lets every timer pass."""
    rnd = random.Random(seed)
    weights = list(accumulate(1.0 / (rank + 50.0) for rank in range(customers)))
    who = rnd.choices(range(customers), cum_weights=weights, k=count)
    what = rnd.choices(KINDS, weights=WEIGHTS, k=count)
    carts = {}
    at = START
    step = timedelta(hours=hours) / count
    for number, (customer, kind) in enumerate(zip(who, what, strict=True)):
        at += step * 2 * rnd.random()
        user = f"c{customer:06d}"
        value = _event(rnd, kind, user, customer, number, at, carts.setdefault(customer, []))
        yield partition_of(user, partitions), user.encode(), value.encode()
    end = (at + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    for partition in range(partitions):
        yield partition, b"", b'{"type":"clock","timestamp":"%s"}' % end.encode()


def _event(rnd, kind, user, customer, number, at, cart):
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    product = rnd.randrange(5000)
    pid = f"p{product:05d}"
    category = CATEGORIES[product % 8]

    def head(type_, name):
        return HEAD % (type_, name, number, customer * 7919, user, stamp)

    if kind == "page":
        return (
            head("page", "Page Viewed")
            + '"properties":{"url":"https://shop.example/catalog/%s?page=%d","title":"Catalog of goods","search":""},'
            % (category, product % 40)
            + CONTEXT % "/catalog"
        )
    if kind == "search":
        return (
            head("track", "Products Searched")
            + '"properties":{"query":"%s under %d","results":%d,"sort":"relevance","locale":"en"},'
            % (category, product, product % 90)
            + CONTEXT % "/search"
        )
    if kind == "order":
        cart.clear()
        return (
            head("track", "Order Completed") + '"properties":{"order_id":"o-%012x","total":%.1f,"currency":"EUR",'
            '"products":[{"product_id":"%s","quantity":1}]},' % (number, 100.0 + product, pid) + CONTEXT % "/checkout"
        )
    name = {"view": "Product Viewed", "add": "Product Added", "remove": "Product Removed"}[kind]
    if kind == "add":
        cart.append(pid)
    elif kind == "remove" and cart:
        pid = cart.pop(rnd.randrange(len(cart)))
    return (
        head("track", name) + PRODUCT % (pid, pid[1:], pid[1:], category, 90.0 + product, pid) + CONTEXT % f"/p/{pid}"
    )
