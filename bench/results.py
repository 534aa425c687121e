"""What the benches measured, kept as JSON and rendered as Markdown: medians, their spread, and what had to be reached.

`results.json` holds every line of every round of the last proper run of each bench; `RESULTS.md` follows from it alone. A quick
run writes both under `out/`, so that it never replaces what was measured properly. Which run replaces which: `replaces`.
"""

import json
from pathlib import Path
from statistics import median

from bench.targets import TARGETS, reached
from bench.yardstick import REFERENCE, at_reference

HERE = Path(__file__).parent
RAW, RESULTS = HERE / "results.json", HERE / "RESULTS.md"
QUICK = HERE / "out" / "RESULTS.md"
CHAOS = HERE / "CHAOS.md"
"""The section of `make chaos`, which writes it; the page ends with it."""
HIDDEN = {"bench", "turn"}


class Runs:
    """The rounds of one bench."""

    def __init__(self, machine, day, quick, command):
        self.machine, self.day, self.quick, self.command = machine, day, quick, command
        self.rounds, self.busy, self.yardstick, self.arguments = [], [], [], []

    def add(self, lines, busy, pace, arguments):
        self.rounds.append(lines)
        self.busy.append(round(busy))
        self.yardstick.append(round(pace, 2))
        self.arguments = _without_turn(arguments)

    def as_json(self):
        return {
            "machine": self.machine, "day": self.day, "quick": self.quick, "command": self.command, "busy": self.busy,
            "yardstick": self.yardstick, "arguments": self.arguments, "rounds": self.rounds,
        }  # fmt: skip


def _without_turn(arguments):
    at = arguments.index("--turn") if "--turn" in arguments else len(arguments)
    return arguments[:at]


def pages(quick):
    """The file of JSON and the page of a run."""
    return (QUICK.parent / "results.json", QUICK) if quick else (RAW, RESULTS)


def kept_in(raw):
    """What the file of JSON holds, by bench."""
    return json.loads(raw.read_text()) if raw.exists() else {}


def replaces(earlier, runs, wanted, *, partial, record):
    """Whether these rounds take the place of earlier ones.

    `wanted`: rounds of the whole run. `partial`: it was run in another size, or with a number of rounds of its own. Where nothing stands
    everything counts. An unfinished run needs as many rounds as the earlier one had; so does a partial one, with the same arguments besides,
    unless it is to be recorded.
    """
    if earlier is None:
        return True
    done = len(runs.rounds)
    if done >= len(earlier["rounds"]):
        return record or not partial or runs.arguments == earlier["arguments"]
    return done >= wanted and (record or not partial)


def keep(name, runs, texts, *, quick):
    """Put a bench's rounds beside the others' and render all."""
    raw, where = pages(quick)
    where.parent.mkdir(exist_ok=True)
    kept = kept_in(raw)
    kept[name] = runs.as_json()
    kept = {key: kept[key] for key in texts if key in kept}
    beside = raw.with_suffix(".new")
    beside.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    beside.replace(raw)  # whoever ends this in the middle loses no earlier figures
    where.write_text(render(kept, texts) + (CHAOS.read_text() if CHAOS.exists() and not quick else ""))


def name_of(line):
    """The row's name."""
    return str(line.get("what") or line.get("bench") or "")


def values(bench, what, key):
    """A figure over the rounds."""
    found = [line.get(key) for lines in bench["rounds"] for line in lines if name_of(line) == what]
    return [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]


def middle(bench, what, key):
    """The median of a figure over the rounds; None where it was not measured."""
    found = values(bench, what, key)
    return median(found) if found else None


def shown(value):
    """A number for a person."""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else round(value, 3 if abs(value) < 10 else 1)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def spread(found):
    """Median, and least and greatest where they differ."""
    if min(found) == max(found):
        return shown(found[0])
    return f"{shown(median(found))} ({shown(min(found))} to {shown(max(found))})"


def render(kept, texts):
    """The whole page."""
    parts = [
        "# Results", "",
        "Written by `make bench`. Every figure is the median of the rounds, with the least and the greatest in brackets. CPU is user",
        "and system time of all processes of an engine; it and the ratios count, wall time on a shared machine is a remark.", "",
        f"The yardstick is the CPU time of decoding one event of 290 bytes (`bench/yardstick.py`). It was {REFERENCE} us on the machine on which",
        "the targets were thought out; on a slower one, or one whose cores others use too, all CPU figures are higher, roughly by that factor. The",
        "column *by the yardstick* takes it out; what is *reached* goes by the figure as it was measured.", "",
        *_targets(kept),
    ]  # fmt: skip
    for name, bench in kept.items():
        parts += section(name, bench, texts[name])
    return "\n".join(parts) + "\n"


def _targets(kept):
    lines = [
        "## What had to be reached",
        "",
        "| measurement | must | aim | measured | by the yardstick | reached |",
        "|---|---|---|---|---|---|",
    ]
    for target in TARGETS:
        bench = kept.get(target.bench)
        found = target.measure(bench) if bench else []
        if found:
            word = (
                "**no**"
                if not reached(target, found)
                else "yes" + (", and the aim" if reached(target, found, aim=True) else "")
            )
            lines.append(
                f"| {target.text} | {target.must_text} | {target.aim_text} | {spread(found)}{target.unit} | {_fair(target, bench, found)} | {word} |"
            )
        else:
            lines.append(f"| {target.text} | {target.must_text} | {target.aim_text} | not measured | | **no** |")
    return [*lines, ""]


def _fair(target, bench, found):
    """The median as the reference machine would have it, where it is one of CPU and the yardstick was taken."""
    pace = bench.get("yardstick")
    fair = at_reference(target.unit, median(found), median(pace)) if pace else None
    if fair is None:
        return ""
    return f"{fair:,.0f}{target.unit}" if fair >= 100 else f"{fair:.1f}{target.unit}"


def _command(name, bench):
    """How it was run; of a run that was kept without its command, as it must have been."""
    words = [name, *(["quick"] if bench["quick"] else [])]
    if bench["arguments"] and not bench["quick"]:
        words.append(f"--with '{' '.join(bench['arguments'])}'")
    return bench.get("command") or command(words)


def command(words):
    """The command line with these words."""
    return f"make bench ARGS={words[0]}" if len(words) == 1 else f'make bench ARGS="{" ".join(words)}"'


def section(name, bench, text):
    """One bench's part of the page."""
    rounds = len(bench["rounds"])
    rows = list(dict.fromkeys(name_of(line) for lines in bench["rounds"] for line in lines))
    keys = list(dict.fromkeys(key for lines in bench["rounds"] for line in lines for key in line))
    keys = [key for key in keys if key not in HIDDEN | {"what"} and not _nested(bench, key)]
    with_what = any(rows) and rows != [name]
    head = ([""] if with_what else []) + keys
    beforehand = (
        f"the machine was {_range(bench['busy'])} % busy with other work beforehand"
        if bench["busy"]
        else "how busy the machine was is not known"
    )
    pace = bench.get("yardstick")
    if pace:
        beforehand += f", the yardstick took {_range(pace)} us"
    said = f"{rounds} round{'s' * (rounds > 1)} on {bench['day']}; {beforehand}. {bench['machine']}.{bench.get('remark', '')}"
    lines = [
        f"## {name}", "", f"{text}: `{_command(name, bench)}`", "",
        said, "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head),
    ]  # fmt: skip
    for row in rows:
        cells = [_cell(bench, row, key) for key in keys]
        lines.append("| " + " | ".join(([row] if with_what else []) + cells) + " |")
    return [*lines, ""]


def _range(found):
    return f"{min(found)} to {max(found)}" if min(found) != max(found) else str(found[0])


def _nested(bench, key):
    return any(isinstance(line.get(key), dict | list) for lines in bench["rounds"] for line in lines)


def _cell(bench, row, key):
    numbers = values(bench, row, key)
    if numbers:
        return spread(numbers)
    found = [line[key] for lines in bench["rounds"] for line in lines if name_of(line) == row and key in line]
    return "/".join(dict.fromkeys(map(str, found)))
