"""The data folder's lock, its remembered ports, and bounded logs."""

import os
import socket
import sys

import pytest

from app.embedded.logs import LINE_BYTES, ChildLog
from app.embedded.process import Process, StartError, command_line, end_orphan
from app.embedded.state import State, data_lock, free_port, port_is_free
from app.errors import CommandError


def test_a_port_is_kept_from_run_to_run(tmp_path):
    path = tmp_path / "state.json"
    port = State(path).port("kafka_port")
    assert State(path).port("kafka_port") == port


def test_a_port_that_was_taken_meanwhile_is_chosen_anew(tmp_path):
    path = tmp_path / "state.json"
    port = State(path).port("kafka_port")
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
        other = State(path).port("kafka_port")
        assert other != port
    assert State(path).port("kafka_port") == other


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"kafka_port": "x"}', "\x00\x01"])
def test_a_damaged_state_file_counts_as_empty(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_text(text)
    assert State(path).port("kafka_port") > 0


def test_the_data_folder_is_for_one_process_at_a_time(tmp_path):
    refused = pytest.raises(CommandError, match=rf"in use by process {os.getpid()}; stop it")
    with data_lock(tmp_path), refused, data_lock(tmp_path):
        pass
    with data_lock(tmp_path):
        pass


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be used"), data_lock(tmp_path / "file" / "data"):
        pass


def test_a_log_is_bounded_on_disk_and_keeps_the_last_lines(tmp_path):
    log = ChildLog(tmp_path / "log" / "child.log", file_bytes=1000)
    code = "import signal\nfor i in range(500): print('line', i)\nprint('x' * 100_000)\nprint('last', flush=True)\nsignal.pause()"
    child = Process("child", [sys.executable, "-c", code], log)
    child.wait_ready(lambda: log.tail(1) == ["last"], 20)
    child.stop()
    sizes = [path.stat().st_size for path in log.path.parent.iterdir()]
    assert len(sizes) <= 2
    assert sum(sizes) <= 2 * (1000 + LINE_BYTES + 1)


def test_a_child_that_ends_at_start_is_reported_with_its_last_words(tmp_path):
    log = ChildLog(tmp_path / "child.log")
    child = Process("child", [sys.executable, "-c", "import sys; sys.exit('cannot go on')"], log)
    with pytest.raises(StartError, match="child ended with status 1: cannot go on"):
        child.wait_ready(lambda: False, 20)


def test_a_child_that_is_never_ready_is_given_up(tmp_path):
    child = Process("child", [sys.executable, "-c", "input()"], ChildLog(tmp_path / "child.log"))
    child.stop()
    sleeper = Process("child", ["/bin/sleep", "60"], ChildLog(tmp_path / "child.log"))
    try:
        with pytest.raises(StartError, match="was not ready after 0 s"):
            sleeper.wait_ready(lambda: False, 0.1)
    finally:
        assert sleeper.stop() == -15


def test_a_child_that_ignores_sigterm_is_killed(tmp_path):
    log = ChildLog(tmp_path / "child.log")
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = Process("child", [sys.executable, "-c", code], log)
    child.wait_ready(lambda: log.tail() == ["deaf"], 20)
    assert child.stop(0.2) == -9


def test_a_process_of_somebody_else_is_left_alone(tmp_path):
    child = Process("child", ["/bin/sleep", "60"], ChildLog(tmp_path / "child.log"))
    try:
        child.wait_ready(lambda: "sleep" in command_line(child.pid), 20)
        assert not end_orphan(child.pid, "/a/folder/of/ours")
        assert child.status() is None
    finally:
        child.stop()


def test_an_orphan_with_our_folder_in_its_command_line_is_ended(tmp_path):
    mark = str(tmp_path / "kafka")
    code = "import signal; signal.pause()"
    child = Process("child", [sys.executable, "-c", code, mark], ChildLog(tmp_path / "child.log"))
    child.wait_ready(lambda: mark in command_line(child.pid), 10)
    assert end_orphan(child.pid, mark)
    assert child.stop() == -9
    assert not end_orphan(child.pid, mark)


def test_free_ports_are_free():
    assert port_is_free(free_port())
