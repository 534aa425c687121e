"""CPU per event of the core alone: `Behaviour.on_bundle` over packed rows, and packing them for the changelog. No Kafka.

    python -m bench.core [--events 300000] [--rounds 3] [--against CHECKOUT] [--segments N] [--together] [--scenarios FOLDER] [--profile FILE]

JSON lines. With `--against`, rounds of this checkout and of another one, with `--segments` of the core with and without segments, with `--together` of one whose messages show what is looked at together, take turns, each in a process of its own. Every round plays
the same bundles; of each bundle the quickest round counts, which a busy machine disturbs least.
"""

import argparse
import cProfile
import gc
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path

BUNDLE = 4700
"""About as many records as one fetch brings of a partition, in a backlog."""
PARTITIONS = 4
HERE = Path(__file__).resolve().parent.parent


class Record:
    """A record as the consumer hands it over."""

    __slots__ = ("key", "offset", "timestamp", "value")

    def __init__(self, key, value, offset):
        self.key, self.value, self.offset, self.timestamp = key, value, offset, 0


class Core:
    """The engine's core over four partitions, with what the fenced table does to a step except writing it."""

    def __init__(self, segments=0, folder=None, together=False):
        from agents.behaviour import ROW_TYPE, Behaviour
        from agents.decide import Decider
        from agents.scenarios.load import load_folder
        from app.settings import load
        from tables.changelog import Codec
        from tables.packed import PackedRows
        from tables.step import Partition

        scenarios = load_folder(folder or load({}).scenarios)
        if together:
            scenarios = [showing_together(scenario) for scenario in scenarios]
        more = {"segments": segments_of(segments)} if segments else {}
        self.behaviour = Behaviour(Decider(scenarios, locale="en", **more), stream_time=True, partitions=PARTITIONS)
        self.codec = Codec(ROW_TYPE)
        self.parts = [Partition(n, PackedRows(self.codec.encode_row, self.codec.decode_row)) for n in range(PARTITIONS)]
        self.decide, self.pack = [], []
        self.changelog_records = self.changelog_bytes = self.outputs = 0

    def run(self, bundles):
        from tables.step import Step

        fold = getattr(Step, "fold", lambda _step: None)  # another checkout may be older
        for bundle in bundles:
            began = time.process_time()
            step = Step(self.parts[bundle.partition])
            for piece in bundle.pieces():
                self.behaviour.on_bundle(step, piece, 0.0)
                fold(step)
            decided = time.process_time()
            records = [*self.codec.records(step.rows, step.changed)]
            self.decide.append(decided - began)
            self.pack.append(time.process_time() - decided)
            self.changelog_records += len(records)
            self.changelog_bytes += sum(len(key) + len(value or b"") for key, value in records)
            self.outputs += len(step.outputs)


def showing_together(scenario):
    """The scenario, whose similar products are those that are looked at together with its own."""
    from msgspec.structs import replace

    show = scenario.show
    return scenario if show is None or not show.similar else replace(scenario, show=replace(show, similar_by="viewed"))


def segments_of(count):
    """So many segments: those that are built in, and then others like them."""
    from agents.segments.load import load_segments

    with tempfile.TemporaryDirectory() as name:
        for number, path in enumerate(sorted((HERE / "app" / "segments").glob("*.yaml"))):
            if path.name == "rfm.yaml" or number <= count:
                Path(name, path.name).write_text(path.read_text())
        for number in range(len([*Path(name).glob("*.yaml")]) - 1, count):
            when = LIKE[number % len(LIKE)] % (number + 2)
            Path(name, f"s{number}.yaml").write_text(f"id: s{number}\ntitle: Number {number}\nwhen: {when}\n")
        return load_segments(Path(name))


LIKE = (
    "{cart: value, at_least: %d00}",
    "{happened: product_viewed, at_least: 3, within: %dh, same: category}",
    "{all: [{orders: count, at_least: 1}, {not: {seen_within: %dd}}]}",
    "{any: [{orders: total, at_least: %d00}, {segment: champions}]}",
)


def bundles_of(count, customers):
    """The backlog in bundles, the partitions taking turns."""
    from bench.stream import events
    from tables.bundle import Bundle

    waiting, offsets = defaultdict(list), defaultdict(int)
    for partition, key, value in events(count, customers, partitions=PARTITIONS):
        records = waiting[partition]
        records.append(Record(key, value, offsets[partition]))
        offsets[partition] += 1
        if len(records) == BUNDLE:
            yield Bundle("clickstream", partition, records, records[0].offset, records[-1].offset)
            waiting[partition] = []
    for partition, records in waiting.items():
        if records:
            yield Bundle("clickstream", partition, records, records[0].offset, records[-1].offset)


def once(count, customers, profile="", segments=0, folder=None, together=False):
    """One round; its figures."""
    bundles = list(bundles_of(count, customers))
    core = Core(segments, folder, together)
    gc.collect()
    gc.freeze()
    if profile:
        profiler = cProfile.Profile(time.process_time)
        profiler.runcall(core.run, bundles)
        profiler.dump_stats(profile)
    else:
        core.run(bundles)
    return {
        "decide": core.decide,
        "pack": core.pack,
        "whole": round((sum(core.decide) + sum(core.pack)) / count * 1e6, 2),
        "changelog_records": core.changelog_records,
        "changelog_bytes_per_event": round(core.changelog_bytes / count, 1),
        "outputs_per_event": round(core.outputs / count, 2),
    }


def round_of(checkout, args, segments, together):
    """One round in a process of its own, with the code of `checkout`."""
    from bench.turns import round_of as turn

    return turn(
        __file__,
        checkout,
        "--events",
        str(args.events),
        "--customers",
        str(args.customers),
        "--segments",
        str(segments),
        *(["--together"] if together else []),
        *(["--scenarios", str(args.scenarios)] if args.scenarios else []),
    )


def summary(name, count, rounds):
    """The quickest of the rounds for each bundle, summed up; and how far whole rounds were apart."""
    from bench.turns import quickest

    decide, pack = quickest(rounds, "decide"), quickest(rounds, "pack")
    return {
        "what": name,
        "events": count,
        "us_per_event": round((decide + pack) / count * 1e6, 2),
        "decide_us": round(decide / count * 1e6, 2),
        "pack_us": round(pack / count * 1e6, 2),
        "slowest_round_us": max(line.pop("whole") for line in rounds),
        "rounds": len(rounds),
        **rounds[0],
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", default="", metavar="CHECKOUT", help="another checkout to compare with")
    parser.add_argument("--segments", type=int, default=0, help="compare with the same core and so many segments")
    parser.add_argument(
        "--together", action="store_true", help="compare with the same core that counts what is looked at together"
    )
    parser.add_argument("--scenarios", type=Path, metavar="FOLDER", help="other scenarios than those built in")
    parser.add_argument("--profile", default="", metavar="FILE", help="one round under cProfile, written to FILE")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.once or args.profile:
        print(
            json.dumps(once(args.events, args.customers, args.profile, args.segments, args.scenarios, args.together)),
            flush=True,
        )
        return
    checkouts = {"core": (HERE, 0, False)}
    if args.against:
        checkouts["other checkout"] = (Path(args.against).resolve(), 0, False)
    if args.segments:
        checkouts[f"{args.segments} segments"] = (HERE, args.segments, False)
    if args.together:
        checkouts["what is looked at together"] = (HERE, 0, True)
    rounds = defaultdict(list)
    for _ in range(args.rounds):
        for name, (checkout, segments, together) in checkouts.items():
            rounds[name].append(round_of(checkout, args, segments, together))
    for name, lines in rounds.items():
        print(json.dumps(summary(name, args.events, lines)), flush=True)


if __name__ == "__main__":
    main()
