"""`make bench [ARGS=NAME...]`: runs the benches and writes `bench/RESULTS.md`.

Each is a module with a `main()` that prints JSON lines. CPU and ratios count; wall time on a shared machine is a remark.
"""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

BENCHES = {
    "engine": "CPU per event of the real worker on real Kafka, against a plain Faust agent and table around the same core",
    "core": "CPU per event of the core alone: deciding over packed rows, and packing them; no Kafka",
    "lateness": "from due + grace to the SMTP server, the whole path, with background load",
    "collector": "requests and events acknowledged by Kafka",
    "chat": "webhooks of messengers with an in-memory producer, against the plain collector in the same run",
    "dialogs": "alerts to the team with 100,000 open dialogs and background load; what a dialog costs",
    "email": "render, MIME and SMTP to a local sink",
    "outages": "the longest time in which a partition got nothing done, while workers end and start",
    "footprint": "the embedded system at rest, and the state of a customer",
}
HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
MARK = "<!-- {} -->"


def run(name):
    """The JSON lines of one bench."""
    print(f"{name}: {BENCHES[name]} ...", file=sys.stderr, flush=True)
    found = subprocess.run([sys.executable, "-m", f"bench.{name}"], stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        print(json.dumps(line), flush=True)
    return lines


def section(name, lines):
    """One bench as Markdown."""
    named = any(line.get("bench", name) != name for line in lines)
    keys = list(dict.fromkeys(key for line in lines for key in line if not isinstance(line[key], dict)))
    keys = [key for key in keys if named or key != "bench"]
    rows = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    rows += ["| " + " | ".join(str(line.get(key, "")) for key in keys) + " |" for line in lines]
    return f"{MARK.format(name)}\n## {name}\n\n{BENCHES[name]}: `make bench ARGS={name}`\n\n" + "\n".join(rows) + "\n"


def merge(old, name, text):
    """`old` with the section of `name` replaced or added; notes between sections stay."""
    start = old.find(MARK.format(name))
    if start < 0:
        return old.rstrip() + "\n\n" + text
    ends = [old.find(MARK.format(other), start + 1) for other in BENCHES]
    end = min((position for position in ends if position > 0), default=len(old))
    return old[:start] + text + "\n" + old[end:]


def main(names):
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"bench: there is no {unknown[0]}; there are: {', '.join(BENCHES)}")
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    packages = ", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "aiokafka", "msgspec", "uvloop"))
    for name in names or BENCHES:
        text = merge(text, name, section(name, run(name)))
        head = f"Python {platform.python_version()}, {packages}, {os.cpu_count()} cores."
        lines = text.splitlines()
        text = (
            "\n".join(
                [
                    lines[0],
                    "",
                    head,
                    *lines[next((i for i, line in enumerate(lines) if line.startswith(MARK[:4])), 1) - 1 :],
                ]
            )
            + "\n"
        )
        RESULTS.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
