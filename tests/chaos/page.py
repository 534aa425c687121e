"""`bench/CHAOS.md`: the last record of each part, and the end of `bench/RESULTS.md`. Recording one part leaves the others' rows as they are."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "RESULTS.md"
CHAOS = ROOT / "bench" / "CHAOS.md"
INTRODUCTION = (
    "## chaos",
    "",
    "What must hold whatever happens (tests/chaos/README.md): `make chaos ARGS=--record` all of it, each row by the command that stands in it.",
    "",
)
HEAD = ("| part | what | held | run | figures |", "|---|---|---|---|---|")
PARTS = {
    "kills": "kill -9 of worker and sender, at random and at named points",
    "backlog": "orders that arrive while the worker is down",
    "outages": "restarts of the broker (kill -9 and clean), wipes of Valkey",
    "rebalances": "workers and senders join, leave, sleep past their session and wake",
    "poison": "broken records under four codecs among good ones, and their replay after a mend",
    "disorder": "any order, every event twice, clocks half a day off, orders within the grace",
    "hung": "a relay that hangs for a minute, and another channel beside it",
    "watchdog": "a consumer that stops without a word",
    "simulation": "the whole installation in virtual time, compared with a reference",
    "cascades": "the same with cascades over four channels",
}
"""The parts in the order of the page, and what each is about."""


def moment():
    """The day and, where there is a git, the commit that is run: `2026-01-31 at 1a2b3c4`."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    try:
        asked = ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return day
    return f"{day} at {commit}"


def table(results):
    """The results of parts as Markdown: name -> what was counted, with `run` and, when it did not hold, `wrong`."""
    return "\n".join([*HEAD, *(row(name, counted) for name, counted in results.items())])


def row(name, counted, size=""):
    """One part's line of the table."""
    figures = ", ".join(f"{key} {_told(value)}" for key, value in counted.items() if key not in ("wrong", "run"))
    held = "no" if "wrong" in counted else "yes"
    return f"| {name}{size} | {PARTS[name]} | {held} | {counted.get('run', '')} | {figures} |"


def _told(value):
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {times}" for key, times in value.items()) + ")"
    return str(value)


def record(results, size=""):
    """Put the parts into the section of an earlier record, and that to the end of the page of results."""
    rows = _rows(CHAOS)
    for name, counted in results.items():
        rows[name] = row(name, counted, size)
    kept = [rows[name] for name in PARTS if name in rows]
    section = "\n".join([*INTRODUCTION, *HEAD, *kept, ""])
    CHAOS.write_text(section)
    page = RESULTS.read_text().partition(INTRODUCTION[0] + "\n")[0]
    RESULTS.write_text(f"{page.rstrip()}\n\n{section}")


def _rows(page):
    """Name -> line of an earlier record; one that was made before rows said when they were run says nothing of it."""
    found = {}
    for line in page.read_text().splitlines() if page.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = cells[0].split(" (")[0]
        if name in PARTS:
            if len(cells) == len(HEAD[0].strip("|").split("|")) - 1:
                cells.insert(3, "")
            found[name] = f"| {' | '.join(cells)} |"
    return found
