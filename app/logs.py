"""Logs of every process: one line a message to stderr, plain or JSON, without addresses, with the trace that it belongs to.

SIGUSR1 makes our own modules tell everything (DEBUG) from then on, SIGUSR2 brings back the level of the settings; libraries keep
theirs. What a message, or a trace of an error, quotes of e-mail addresses and telephone numbers is made unreadable.
"""

import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from app.masking import mask

ROOMS = ("app", "agents", "tables", "channels")
QUIET = (
    "aiokafka",
    "faust",
    "mode",
    "aiohttp",
    "mail.log",
    "tables.store",
    "app.engine.base",
    "app.engine.fetching",
    "app.engine.transport",
)
"""Loggers of libraries, and those that Faust's services in our modules write to. aiosmtpd's `mail.log` tells every command."""
PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_trace: ContextVar[str] = ContextVar("trace", default="")


@contextmanager
def traced(trace: str) -> Iterator[None]:
    """Everything logged inside belongs to this: a trigger's id, a request's number."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


class PlainFormatter(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with an error's trace below it."""
        trace = _trace.get()
        return mask(super().format(record)) + (f" [{trace}]" if trace else "")


class JsonFormatter(logging.Formatter):
    """A line for machines: an object with `at` (UTC), `level`, `logger`, `text`, and `trace` and `error` where there are such."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "text": mask(record.getMessage()),
        }
        if trace := _trace.get():
            line["trace"] = trace
        if record.exc_info:
            line["error"] = mask(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str, kind: str = "plain") -> None:
    """Begin to log, at `level` (a name of logging's) and as `kind` (plain or json), and listen to the two signals."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else PlainFormatter(PLAIN))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    if level != "DEBUG":
        # aiokafka builds its debug records even when nobody listens; Faust's INFO is tables of many lines
        for name in QUIET:
            logging.getLogger(name).setLevel("WARNING")
    signal.signal(signal.SIGUSR1, lambda _number, _frame: _set_ours("DEBUG"))
    signal.signal(signal.SIGUSR2, lambda _number, _frame: _set_ours(level))


def _set_ours(level: str) -> None:
    for room in ROOMS:
        logging.getLogger(room).setLevel(level)
    logging.getLogger(__name__).warning("our modules log from %s on now", level)
