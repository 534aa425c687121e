"""`boomerang dkim`: the DNS records that belong to the signing keys, and new keys."""

import argparse
import os
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path

from app.errors import CommandError
from app.settings import load, split

_STRING = 255
"""Characters of one string of a TXT record."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--new", type=Path, metavar="FILE", help="make a private key in this file (mode 0600)")
    parser.add_argument("--kind", choices=("rsa", "ed25519"), default="rsa", help="of the new key (default: rsa)")
    parser.add_argument("--selector", default="boomerang", help="of the new key (default: boomerang)")


def run(args: argparse.Namespace) -> int:
    """Print the records. Raises CommandError."""
    from channels.dkim import Signer

    settings = load()
    keys = split(settings.dkim_keys)
    if args.new is not None:
        _write(args.new, args.kind)
        keys = [f"{args.selector}={args.new.absolute()}"]
    if not keys:
        raise CommandError("BOOMERANG_DKIM_KEYS is not set; make a key with `boomerang dkim --new FILE`")
    try:
        signer = Signer(keys, settings.dkim_domain or parseaddr(settings.mail_from)[1].rpartition("@")[2])
    except ValueError as error:
        raise CommandError(str(error)) from None
    for key in signer.keys:
        strings = " ".join(f'"{text}"' for text in _strings(key.record))
        print(f"{key.selector}._domainkey.{signer.domain}. TXT {strings}")
    if args.new is not None:
        print(f"publish this record, wait until it is seen, then set BOOMERANG_DKIM_KEYS={keys[0]}")
    return 0


def _write(path: Path, kind: str) -> None:
    from channels.dkim import make

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{path} exists; a key is never overwritten") from None
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(make(kind))


def _strings(text: str) -> Iterator[str]:
    for start in range(0, len(text), _STRING):
        yield text[start : start + _STRING]
