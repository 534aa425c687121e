"""Many seeds: what was done counts, also when it is ended before its time."""

import os
import signal
from contextlib import contextmanager
from multiprocessing.pool import Pool
from unittest.mock import patch

import pytest

from tests.simulation import campaign as module
from tests.simulation.campaign import campaign, earlier, work
from tests.simulation.runner import PLAIN

EVENTS = 30


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.5)


def test_a_campaign_that_is_ended_goes_on_where_it_was_and_comes_to_the_same(tmp_path):
    kept, said = tmp_path / "kept.json", []

    def ended(text):
        said.append(text)
        raise KeyboardInterrupt

    first = campaign(PLAIN, EVENTS, range(500), 1, ended, kept)
    assert first.interrupted
    assert 0 <= first.next < 500
    assert first.total["seeds"] == first.next
    assert "nothing wrong" in said[0] and "of 500" in said[0]
    assert work(kept) == first.next * EVENTS
    before = earlier(kept, EVENTS)
    assert (before.next, before.total["triggers"]) == (first.next, first.total["triggers"])
    assert earlier(kept, EVENTS + 1) is None
    end = first.next + 3
    rest = campaign(PLAIN, EVENTS, range(before.next, end), 1, said.append, kept, before)
    whole = campaign(PLAIN, EVENTS, range(end), 2, said.append)
    assert not rest.interrupted
    assert rest.next == whole.next == end
    for name in ("seeds", "triggers", "compared", "racing"):
        assert rest.total[name] == whole.total[name]
    assert rest.happened == whole.happened


def test_pieces_are_one_range_whose_moments_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "timed", _right)
    kept = tmp_path / "kept.json"
    first = campaign(PLAIN, EVENTS, range(10, 12), 1, lambda _: None, kept, moment="monday")
    campaign(PLAIN, EVENTS, range(12, 15), 1, lambda _: None, kept, earlier(kept, EVENTS), "tuesday")
    done = campaign(PLAIN, EVENTS, range(15, 15), 1, lambda _: None, kept, earlier(kept, EVENTS), "wednesday")
    assert first.moments == ("monday",)
    assert done.moments == ("monday", "tuesday")
    figures = {"seeds": "10 to 14", "events": EVENTS, "triggers": 10, "compared": 15, "racing": 5, "kills": 20}
    assert done.figures(EVENTS) == {**figures, "cpu_seconds": 2}


def test_a_file_that_does_not_say_when_it_was_run_is_read(tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text('{"events": 30, "next": 9006, "total": {"seeds": 6, "cpu": 1.5}, "happened": {"kill": 2}}')
    before = earlier(kept, EVENTS)
    assert before.moments == (module.UNNOTED,)
    assert before.figures(EVENTS)["seeds"] == "9000 to 9005"


def test_a_seed_that_fails_ends_it_and_is_named(monkeypatch):
    monkeypatch.setattr(module, "timed", _wrong)
    done = campaign(PLAIN, EVENTS, range(5, 9), 1, lambda _: None)
    assert done.failed[0] == 7
    assert done.next == 7
    assert done.figures(EVENTS)["seeds"] == "5 to 6"
    assert "wrong with seed 7" in done.told(EVENTS)


def test_signals_end_it_however_many_come():
    def end(_text):
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with patched_terminate(lambda: os.kill(os.getpid(), signal.SIGTERM)):
        assert campaign(PLAIN, EVENTS, range(500), 1, end).interrupted
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@contextmanager
def patched_terminate(first):
    """Something comes while the processes are ended."""
    real = Pool.terminate

    def terminate(pool):
        first()
        real(pool)

    with patch.object(Pool, "terminate", terminate):
        yield


def _wrong(events, seed, kind):
    outcome = module.Outcome(["it is wrong"] if seed == 7 else [], events, 0, 1, {}, "")
    assert kind == PLAIN
    return seed, outcome, 0.1


def _right(events, seed, kind):
    happened = {"kill": 4, "customers: killed": 1, "ledger: decided": 3, "ledger: left": 1, "customers: fenced": 1}
    return seed, module.Outcome([], 3, 1, 2, happened, ""), 0.4
