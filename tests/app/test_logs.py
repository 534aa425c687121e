"""Logs: plain or JSON, without addresses, with the trace that a line belongs to, at a level that signals change."""

import json
import logging
import os
import signal
import sys

import pytest

from app import logs


@pytest.fixture
def logged(monkeypatch, capsys):
    """Set up as a process does, and give back what was said; everything is put back afterwards."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*logs.ROOMS, *logs.QUIET)}
    handlers = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]

    def begin(level, kind):
        logs.set_up(level, kind)
        root.handlers[0].setStream(sys.stderr)
        return lambda: capsys.readouterr().err.splitlines()

    yield begin
    root.handlers[:], _ = kept
    root.setLevel(kept[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for number, handler in zip((signal.SIGUSR1, signal.SIGUSR2), handlers, strict=True):
        signal.signal(number, handler)


def failing(number):
    try:
        raise ValueError(f"cannot write to ann.b@shop.example at +79161234567 ({number})")  # noqa: TRY301
    except ValueError:
        logging.getLogger("agents.x").exception("message to %s failed", "ann.b@shop.example")


def test_a_line_of_json_has_its_level_trace_and_error_and_no_address(logged):
    said = logged("INFO", "json")
    with logs.traced("ab12"):
        failing(1)
    logging.getLogger("app.y").info('quotes " and\nlines')
    first, second = map(json.loads, said())
    assert (first["level"], first["logger"], first["trace"]) == ("ERROR", "agents.x", "ab12")
    assert first["error"].startswith("Traceback")
    assert second["text"] == 'quotes " and\nlines'
    assert set(second) == {"at", "level", "logger", "text"}
    for secret in ("ann.b", "9161234567", "91612345"):
        assert secret not in json.dumps(first)


def test_a_plain_line_has_the_trace_and_no_address_either(logged):
    said = logged("INFO", "plain")
    with logs.traced("ab12"):
        failing(2)
    text = "\n".join(said())
    assert "[ab12]" in text and "Traceback" in text
    assert "ann.b" not in text and "91612345" not in text


def test_signals_make_our_modules_tell_more_and_less_again(logged):
    said = logged("WARNING", "json")
    ours, theirs = logging.getLogger("tables.z"), logging.getLogger("somebody.else")
    os.kill(os.getpid(), signal.SIGUSR1)
    ours.debug("one")
    theirs.info("two")
    os.kill(os.getpid(), signal.SIGUSR2)
    ours.debug("three")
    texts = [json.loads(line)["text"] for line in said()]
    assert texts == ["our modules log from DEBUG on now", "one", "our modules log from WARNING on now"]
