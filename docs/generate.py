"""Writes what follows from the code: pages of settings, metrics, reasons and commands, the schema of scenarios. `make docs`; a test holds them fresh."""

import argparse
import json
from dataclasses import fields
from importlib import import_module
from pathlib import Path

from agents.scenarios.schema import scenario_schema
from app import metrics
from app.cli import COMMANDS
from app.explain import meaning
from app.model.reasons import BadInput, Reason
from app.settings import PREFIX, Settings
from channels import CHANNELS

DOCS = Path(__file__).parent
ROOT = DOCS.parent

BAD_INPUT = {
    BadInput.NOT_JSON: "the body, or the event, is not JSON",
    BadInput.NOT_UTF8: "the text is not UTF-8",
    BadInput.WRONG_TYPE: "a field has a type that cannot be read",
    BadInput.MISSING_ID: "neither `userId` nor `anonymousId`",
    BadInput.BAD_ID: "an id, or an address, that cannot be used",
    BadInput.MISSING_EVENT: "a `track` without the name of its event",
    BadInput.UNKNOWN_TYPE: "a `type` that is none of track, page, screen, identify, alias and group",
    BadInput.BAD_TIMESTAMP: "a timestamp that is no moment in time",
    BadInput.TOO_LARGE: "over 32 KB an event, or over 500 KB or 2,500 events a batch; written past the collector, over 128 KiB",
    BadInput.TOO_DEEP: "nested deeper than 20 levels",
    BadInput.TOO_MANY_LINES: "more lines of products than are read",
    BadInput.NEGATIVE_PRICE: "a price below zero",
    BadInput.NOT_FINITE: "a number that is no finite one, or 10^15 and more",
    BadInput.DUPLICATE_KEYS: "an object that has one key twice",
    BadInput.MISSING_DIALOG: "a message of a messenger that does not say of which dialog it is",
    BadInput.MISSING_TIME: "a message of a messenger without a usable moment",
    BadInput.BAD_RECORD: "a record in Kafka that cannot be decoded",
    BadInput.HANDLER_FAILED: "a record whose handling failed; the log has the reason",
}


def settings_page() -> str:
    """All settings with default and meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for item in fields(Settings):
        default = (
            item.default.relative_to(ROOT)
            if isinstance(item.default, Path) and item.default.is_absolute()
            else item.default
        )
        shown = "" if default == "" else f"`{default}`"
        rows.append(f"| `{PREFIX}{item.name.upper()}` | {shown} | {item.metadata['text']} |")
    return (
        "# Settings\n\nEnvironment variables; `boomerang settings` prints them with their present values.\n\n"
        + "\n".join(rows)
        + "\n"
    )


def metrics_page() -> str:
    """All metrics with kind, labels and help."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for collector in metrics.ALL:
        (family,) = collector.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)  # noqa: SLF001 - there is no public way
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    for family in metrics.PROCESS.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        rows.append(f"| `{name}` | {family.type} |  | {family.documentation} |")
    head = (
        "# Metrics\n\nWorker: port 6066, delivery: 6067, console: 8001, collector: 8003 (internal), all at `/metrics`. "
        "Labels are bounded: never a customer, an address, a URL or a message.\n\n"
    )
    return head + "\n".join(rows) + "\n"


def reasons_page() -> str:
    """All reasons with what they mean."""
    rows = ["| reason | what `boomerang explain` says |", "|---|---|"]
    rows += [f"| `{reason.value}` | {meaning(reason)} |" for reason in Reason]
    bad = ["| reason | meaning |", "|---|---|"]
    bad += [f"| `{reason.value}` | {BAD_INPUT[reason]} |" for reason in BadInput]
    return (
        "# Reasons\n\nEvery decision has one. They are the journal's `reason`, the metrics' label, and what `explain` tells.\n\n"
        + "\n".join(rows)
        + "\n\n## Bad input\n\nWhy an event was refused, or a record became a dead letter.\n\n"
        + "\n".join(bad)
        + "\n"
    )


def _actions(choice: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[str]:
    """What a command can be told to do, each with its own arguments."""
    told = {action.dest: action.help for action in choice._choices_actions}  # noqa: SLF001
    rows = []
    for name, parser in choice.choices.items():
        rows.append(f"  - `{name}`: {told[name]}")
        rows += [
            f"    - `{(action.option_strings or [action.metavar or action.dest])[0]}`: {(action.help or '').replace('%%', '%')}"
            for action in parser._actions  # noqa: SLF001
            if action.dest != "help"
        ]
    return rows


def commands_page() -> str:
    """All commands with their arguments."""
    parts = ["# Commands\n\nExit status: 0 fine, 1 failed, 2 wrong use; one line on stderr says what to do.\n"]
    for name, text in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"boomerang {name}", add_help=False)
        import_module("app.commands." + name.replace("-", "_")).add_arguments(parser)
        rows = []
        for action in parser._actions:  # noqa: SLF001 - there is no public way
            words = ", ".join(f"`{word}`" for word in action.option_strings) or f"`{action.metavar or action.dest}`"
            rows.append(f"- {words}: {(action.help or '').replace('%%', '%')}")
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                rows += _actions(action)
        parts.append(
            f"## `boomerang {name}`\n\n{text[0].upper() + text[1:]}.\n"
            + ("\n" + "\n".join(rows) + "\n" if rows else "")
        )
    return "\n".join(parts)


def schema_file() -> str:
    """The JSON Schema of scenario files."""
    return json.dumps(scenario_schema(sorted(CHANNELS)), indent=1) + "\n"


PAGES = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "reasons.md": reasons_page,
    "commands.md": commands_page,
    "scenario.schema.json": schema_file,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page())
        print(f"docs/{file}")
