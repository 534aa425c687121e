"""A feed of many offers through `boomerang catalogue import` into a real Kafka: CPU and the peak of resident memory of that process.

    python -m bench.catalogue [--offers 100000]

JSON lines. `first`: everything is new. `again`: the next feed, in which a tenth of the prices are lower. `unchanged`: the same again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.settings import child_environment, load
from tests.app.catalogue.samples import offers
from tests.servers import running_kafka, scratch_folder


def write(path, count, lower):
    """A feed in windows-1251, as shops write it; of every tenth product the price is lower by `lower`."""
    rows = (
        (f"p{number:07}", 100 + number % 900 - lower * (number % 10 == 0), number % 7 != 0) for number in range(count)
    )
    with path.open("w", encoding="windows-1251") as file:
        file.writelines(offers(rows, "windows-1251"))


def taken(settings, path):
    """One import: (CPU seconds, wall seconds, peak of resident memory in MB)."""
    command = [sys.executable, "-m", "app.cli", "catalogue", "import", str(path)]
    began = time.monotonic()
    child = subprocess.Popen(command, env=child_environment(settings), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit("the import failed")
    return used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss / 1024


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--offers", type=int, default=100_000)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, scratch_folder("kafka") as data, running_kafka(data) as bootstrap:
        folder = Path(name)
        settings = load({}, kafka=f"kafka://{bootstrap}", data=folder)
        for what, lower in (("first", 0), ("again", 10), ("unchanged", 10)):
            write(folder / "feed.xml", args.offers, lower)
            cpu, wall, megabytes = taken(settings, folder / "feed.xml")
            row = {
                "what": what, "offers": args.offers, "feed_mb": round((folder / "feed.xml").stat().st_size / 2**20, 1),
                "cpu_us_per_offer": round(cpu / args.offers * 1e6, 1), "cpu_s": round(cpu, 2), "wall_s": round(wall, 2),
                "rss_mb": round(megabytes, 1),
            }  # fmt: skip
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
