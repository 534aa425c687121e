"""`boomerang export CUSTOMER`: all that is stored about a customer, as JSON, for a request of access."""

import argparse
import asyncio
import sys
from typing import Any

import msgspec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("customer", help="user id, anonymous id, or a key such as email:ann@shop.example")
    parser.add_argument("--no-events", action="store_true", help="leave out what clickstream and chat still hold")


def run(args: argparse.Namespace) -> int:
    """Print it. Raises CommandError when nothing is stored, or cannot be read."""
    from app.commands.broker import with_broker
    from app.errors import CommandError
    from app.known import known_of
    from app.settings import load

    known = asyncio.run(known_of(with_broker(load()), args.customer, _tell, events=not args.no_events))
    if known.nothing_kept and not known.events and not known.dialogs:
        raise CommandError(f"nothing is stored about {args.customer}; ids are case-sensitive")
    document = {
        "customer": args.customer,
        "keys": known.keys,
        "state": {key: named(row) for key, row in known.state.items()},
        "messages": {key[2:]: named(row) for key, row in known.messages.items()},
        "journal": [named(line) for line in known.journal],
        "events": [named(event) for event in known.events],
        "dialogs": [named(said) for said in known.dialogs],
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")
    return 0


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"{text} ...", file=sys.stderr)


def named(value: Any) -> Any:
    """A struct as an object with the names of its fields, whatever its own format; empty fields are left out."""
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return {name: named(item) for name, item in fields.items() if item not in (None, "", b"", [], {})}
    if isinstance(value, dict):
        return {str(key): named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [named(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") if value[:1] == b"{" else value.hex()
    return value
