"""`boomerang password`: the hash of a password for the console."""

import argparse
import getpass
import sys

from app.errors import UsageError

SHORTEST = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The user's name."""
    parser.add_argument("name", help="who will log in with it: the member's id in the team file, if there is one")


def run(args: argparse.Namespace) -> int:
    """Ask for the password (or read it from standard input) and print the entry for BOOMERANG_CONSOLE_USERS."""
    from app.web.console.passwords import MOST_PASSWORD, make_hash

    if not args.name or len(args.name) > 64 or not args.name.isprintable() or set(args.name) & set(": "):
        raise UsageError("a name has 1 to 64 characters, no colon and no blank")
    password = getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(password) <= MOST_PASSWORD:
        raise UsageError(f"a password has {SHORTEST} to {MOST_PASSWORD} characters")
    if sys.stdin.isatty() and getpass.getpass("once more: ") != password:
        raise UsageError("the two are different")
    print(f"{args.name}:{make_hash(password)}")
    print("put it into BOOMERANG_CONSOLE_USERS, in single quotes: it holds dollar signs", file=sys.stderr)
    return 0
