"""`boomerang`: one command, its subcommands each in a module of `app/commands`.

A command module has `HELP`, `add_arguments(parser)` and `run(args) -> int`. Modules are imported only when they are called,
so that `boomerang --help` is quick. Exit status: 0 fine, 1 failed, 2 wrong use; one line on stderr says what to do.
"""

import argparse
import os
import sys
from importlib import import_module
from typing import NoReturn

from app.errors import CommandError, UsageError

COMMANDS = {
    "up": "run everything on this machine: embedded Kafka and Valkey, collector, worker, delivery, console",
    "demo": "run everything and a demo shop with simulated shoppers",
    "collector": "run the collector (public HTTP, port 8000)",
    "chat-gateway": "read the message gateways that do not call us (RetailCRM; health on port 6068)",
    "worker": "run the engine's worker (port 6066)",
    "delivery": "run the delivery agent (port 6067)",
    "console": "run the console (internal HTTP, port 8001)",
    "replay": "feed a file of events through the collector, or through the core alone",
    "check": "check settings and scenarios",
    "scenarios": "list the pack of ready scenarios, or copy some into the folder of your own",
    "preview": "show what a scenario or a template would say, with sample content",
    "test": "play the tests of scenarios against time, without a server",
    "backtest": "try a scenario on recorded events: what it would have done, without a message",
    "explain": "tell what was decided about a customer, and why",
    "worth": "tell what scenarios did and brought, against the control group",
    "doctor": "ask everything that is depended upon, and say what to do",
    "export": "print all that is stored about a customer, as JSON",
    "audience": "write a segment or an audience as a file for an advertising network: hashed, of those who have agreed",
    "erase": "forget everything about a customer, and look again",
    "suppressions": "import, export or change the list of addresses at which nothing may be said",
    "dead-letters": "list or replay dead letters",
    "catalogue": "read the shop's feed of offers, once or again and again; show what is known of a product",
    "bounces": "read bounces and complaints: from a pipe, files, or a mailbox over IMAP",
    "dkim": "show the DNS records of the DKIM keys, or make a key",
    "webpush-keys": "make the keys of web push",
    "password": "make the hash of a password for the console",
    "settings": "list all settings with their defaults and meaning",
    "topics": "list the topics, or create the missing ones",
    "repartition": "give a system more partitions, with all its state; workers and senders stand still, collectors may go on",
    "install-embedded": "fetch the embedded Kafka and Valkey once, verified",
}


DESCRIPTION = (
    "Notices what a shop's customers did not do next, and brings them back with one message. "
    "Begin with `boomerang demo`."
)


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one line."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = Parser(prog="boomerang", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        if name == chosen:
            import_module(_module(name)).add_arguments(subparser)
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"boomerang {version('boomerang')}"


def _module(command: str) -> str:
    return "app.commands." + command.replace("-", "_")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in argv if not word.startswith("-")), None)
    args = _parser(chosen if chosen in COMMANDS else None).parse_args(argv)
    try:
        status: int = import_module(_module(args.command)).run(args)
        sys.stdout.flush()
    except UsageError as error:
        print(f"boomerang {args.command}: {error}", file=sys.stderr)
        return 2
    except CommandError as error:
        print(f"boomerang {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads us (`head`) has enough; the interpreter's own last flush must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main())
