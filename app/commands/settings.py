"""`boomerang settings`: all settings with their defaults, values and meaning."""

import argparse
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from app.settings import PREFIX, Settings, load

HIDDEN = "(set)"
HOME = Path(__file__).parents[2]
"""Paths inside of the product are shown from here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Print them."""
    del args
    print("\n".join(listing(load())))
    return 0


def listing(settings: Settings) -> list[str]:
    """Two lines a setting; one that differs from its default is marked with `*`. A secret's value is never shown."""
    lines = []
    for item in fields(Settings):
        value = getattr(settings, item.name)
        mark = " " if value == item.default else "*"
        shown = HIDDEN if item.metadata["secret"] and value and value != item.default else _text(value)
        lines += [f"{mark} {variable(item)}={shown}", f"      {item.metadata['text']}"]
    return lines


def variable(item: "Field[Any]") -> str:
    """The environment variable of a setting."""
    return PREFIX + item.name.upper()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Path) and value.is_relative_to(HOME):
        return str(value.relative_to(HOME))
    return f"{value:g}" if isinstance(value, float) else str(value)
