"""Walks over a partition's customers, in the core alone: CPU a customer, the steps between which events wait, and what they cost events. No Kafka.

    python -m bench.walks [--customers 100000] [--bundles 200]

JSON lines. `nobody`: the price of a product fell that nobody knows. `some`: one that a hundredth of the customers have viewed. `segment`: a
schedule for a tenth of them. `everybody`: a schedule for all, each of whom is written to. `events`: bundles of 500 events alone, and with a slice of
`nobody` before each.
"""

import argparse
import json
import time

SEGMENT = "id: tenth\ntitle: A tenth\nwhen: {trait: part, at_most: 0}\n"
HEAD = "version: 1\ntitle: T\nfamily: %s\npriority: 5\nunless: {order_within: 0s}\n"
STEPS = "steps: [{message: {channel: email, template: hello}}]\n"
FILES = (
    "id: cheaper\n" + HEAD % "a" + "entry: {catalogue: {change: price_drop, of: [viewed, cart]}}\n" + STEPS,
    "id: tenth\n" + HEAD % "b" + 'entry: {schedule: {every: day, at: "10:00", segment: tenth}}\n' + STEPS,
    "id: all\n" + HEAD % "c" + 'entry: {schedule: {every: day, at: "11:00"}}\n' + STEPS,
)
START = 1_767_600_000.0
"""2026-01-05, 08:00 UTC."""
HOUR = 3_600.0
BUNDLE = 500
VIEWS = 8
PAUSE_S = 0.05
"""As `agents/sweeps.py` has it."""


class Shop:
    """One partition, in which every customer has a profile and has viewed some products."""

    def __init__(self, customers):
        import tempfile
        from pathlib import Path

        from agents.behaviour import ROW_TYPE, Behaviour
        from agents.decide import Decider
        from agents.scenarios.load import parse
        from agents.segments.load import load_segments
        from tables.changelog import Codec
        from tables.packed import PackedRows
        from tables.step import Partition

        with tempfile.TemporaryDirectory() as name:
            Path(name, "tenth.yaml").write_text(SEGMENT)
            segments = load_segments(Path(name))
        decider = Decider([parse(text) for text in FILES], segments=segments)
        self.behaviour = Behaviour(decider, stream_time=False, partitions=1)
        self.codec, self._offset = Codec(ROW_TYPE), 0
        self.part = Partition(0, PackedRows(self.codec.encode_row, self.codec.decode_row))
        self.customers = customers
        self._people()

    def _people(self):
        for number in range(self.customers):
            who, records = f"customer-{number:07}", []
            traits = {
                "email": f"{who}@shop.example",
                "consent": {"email": {"granted": True}},
                "custom": {"part": number % 10},
            }
            records.append((who, {"type": "identify", "traits": traits, "source": "server"}))
            seen = [f"p{(number * 7 + place * 13) % 5_000}" for place in range(VIEWS - 1)]
            seen.append("wanted" if number % 100 == 0 else "other")
            for product in seen:
                told = {"product_id": product, "name": f"Product {product}", "price": 100.0, "category": "Things"}
                records.append((who, {"type": "track", "event": "Product Viewed", "properties": told}))
            self.bundle(records, START)

    def bundle(self, records, now):
        """Apply records of `clickstream`; returns the CPU seconds."""
        from app.clock import moment
        from bench.core import Record
        from tables.bundle import Bundle

        made = []
        for who, told in records:
            self._offset += 1
            value = {"timestamp": moment(now).isoformat(), "messageId": f"m{self._offset}", "userId": who, **told}
            made.append(Record(who.encode(), json.dumps(value).encode(), self._offset))
        bundle = Bundle("clickstream", 0, made, made[0].offset, made[-1].offset)
        return self.step(lambda step: self.behaviour.on_bundle(step, bundle, now))

    def step(self, work):
        """One step, and packing what it changed; returns the CPU seconds."""
        from tables.step import Step

        began = time.process_time()
        step = Step(self.part)
        work(step)
        for _ in self.codec.records(step.rows, step.changed):
            pass
        return time.process_time() - began

    def slices(self, until):
        """The CPU seconds of each step in which a walk looks at a slice, up to the time `until`; the customers' own timers come between them."""
        from tables.customer import SWEEP_PREFIX

        while (due := self.part.timers.next_due()) is not None and due <= until:
            keys = [(at, key) for at, key in self.part.timers.pop_due(due)]
            walks = [key for _, key in keys if key.startswith(SWEEP_PREFIX)]
            if walks:
                yield self.step(lambda step, at=due, key=walks[0]: self.behaviour.on_timer(step, at, key, at))
            others = [(at, key) for at, key in keys if key not in walks]
            if others:
                self.step(lambda step, some=others: [self.behaviour.on_timer(step, at, key, at) for at, key in some])

    def fall(self, name, product, at):
        """The price of a product falls."""
        from app.model.catalogue import Change, ChangeKind
        from app.model.link import Changes

        told = Changes(name, at, [Change(name, ChangeKind.PRICE_DROP, product, at, 50.0, 100.0, "EUR")])
        self.step(lambda step: self.behaviour.sweeps.begin(step, told))


def told(what, shop, slices):
    """A row of figures about the slices of a walk."""
    touched = shop.behaviour.sweeps.counts["touched"]
    shop.behaviour.sweeps.counts.clear()
    first, *rest = slices
    middle = sorted(rest)[len(rest) // 2]
    row = {
        "what": what, "customers": shop.customers, "touched": touched, "slices": len(slices),
        "us_per_customer": round(sum(slices) / shop.customers * 1e6, 2), "first_ms": round(first * 1e3, 1),
        "slice_ms": round(middle * 1e3, 2), "longest_ms": round(max(rest) * 1e3, 1),
        "share_of_a_partition": round(middle / (middle + PAUSE_S), 3),
    }  # fmt: skip
    print(json.dumps(row), flush=True)


def events(shop, bundles):
    """Events alone, and with a slice before each bundle, taking turns."""
    alone, beside, at = [], [], START + 4 * HOUR
    for number in range(bundles):
        people = [f"customer-{(number * 7_919 + place * 104_729) % shop.customers:07}" for place in range(BUNDLE)]
        seen = {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"q{number}", "price": 10.0}}
        records, at = [(who, seen) for who in people], at + 1.0
        if number % 2:
            shop.fall(f"f{number}", "nothing", at)
            next(shop.slices(at))
            beside.append(shop.bundle(records, at))
            for _ in shop.slices(at + 600.0):
                pass
            at += 600.0
        else:
            alone.append(shop.bundle(records, at))
    one, two = (sorted(some)[len(some) // 2] / BUNDLE * 1e6 for some in (alone, beside))
    print(
        json.dumps(
            {"what": "events", "bundles": bundles, "us_per_event": round(one, 2), "us_between_slices": round(two, 2)}
        ),
        flush=True,
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--bundles", type=int, default=20)
    args = parser.parse_args(argv)
    shop = Shop(args.customers)
    shop.fall("f1", "nothing", START + HOUR)
    told("nobody", shop, list(shop.slices(START + 1.5 * HOUR)))
    shop.fall("f2", "wanted", START + 1.5 * HOUR)
    told("some", shop, list(shop.slices(START + 2 * HOUR - 1.0)))
    told("segment", shop, list(shop.slices(START + 3 * HOUR - 1.0)))
    told("everybody", shop, list(shop.slices(START + 4 * HOUR - 1.0)))
    events(shop, args.bundles)


if __name__ == "__main__":
    main()
