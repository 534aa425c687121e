"""The broker's jars: only what the lock names is ever used."""

import hashlib

import pytest

from app.embedded import jars
from app.errors import CommandError


def jar(content, name="broker"):
    return jars.Jar(hashlib.sha256(content).hexdigest(), "org.example", name, "1.0")


def gives(content):
    def download(wanted, folder):
        path = folder / wanted.file_name
        path.write_bytes(content)
        return path

    return download


def test_the_committed_lock_names_the_broker_and_a_log_binding_and_no_host():
    names = {item.artifact: item.version for item in jars.read_lock()}
    assert len(names) >= 46
    assert names["kafka_2.13"] == names["kafka-clients"] == "4.1.1"
    assert "slf4j-simple" in names
    assert "://" not in jars.LOCK.read_text()


def test_a_damaged_lock_is_refused(tmp_path):
    path = tmp_path / "kafka.lock"
    path.write_text("abc  org.example:broker\n")
    with pytest.raises(CommandError, match=r"kafka\.lock is damaged at 'abc"):
        jars.read_lock(path)


def test_a_fetched_jar_that_matches_is_kept_and_counts_as_installed(tmp_path):
    told = []
    jars.fetch(tmp_path, (jar(b"x"),), gives(b"x"), lambda done, total: told.append((done, total)))
    assert (tmp_path / "jars" / "broker-1.0.jar").read_bytes() == b"x"
    assert jars.installed(tmp_path, (jar(b"x"),))
    assert told == [(0, 1), (1, 1)]


def test_a_jar_with_another_hash_is_refused_and_nothing_of_it_stays(tmp_path):
    with pytest.raises(CommandError, match=r"broker 1\.0 is not the file that kafka\.lock names"):
        jars.fetch(tmp_path, (jar(b"good"),), gives(b"evil"))
    assert list((tmp_path / "jars").iterdir()) == []
    assert not jars.installed(tmp_path, (jar(b"good"),))


def test_a_jar_changed_after_it_was_verified_is_not_installed_and_fetched_again(tmp_path):
    jars.fetch(tmp_path, (jar(b"good"),), gives(b"good"))
    (tmp_path / "jars" / "broker-1.0.jar").write_bytes(b"evil!")
    assert not jars.installed(tmp_path, (jar(b"good"),))
    jars.fetch(tmp_path, (jar(b"good"),), gives(b"good"))
    assert (tmp_path / "jars" / "broker-1.0.jar").read_bytes() == b"good"


def test_an_impossible_download_says_so_in_one_line_after_some_tries(tmp_path):
    tries = []

    def download(wanted, folder):
        tries.append(wanted)
        raise OSError("no route\nto host")

    with pytest.raises(CommandError) as caught:
        jars.fetch(tmp_path, (jar(b"x"),), download)
    assert str(caught.value) == (
        "broker 1.0 cannot be fetched (no route); check the network and run this again: what has come is kept"
    )
    assert len(tries) == jars.TRIES


def test_an_interrupted_fetch_keeps_whole_jars_and_is_taken_up_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "PARALLEL", 1)
    first, second = jar(b"1", "first"), jar(b"2", "second")

    def cut_off(wanted, folder):
        path = folder / wanted.file_name
        path.write_bytes(b"1" if wanted is first else b"")  # the second one is half written
        if wanted is second:
            raise KeyboardInterrupt
        return path

    with pytest.raises(KeyboardInterrupt):
        jars.fetch(tmp_path, (first, second), cut_off)
    assert [path.name for path in (tmp_path / "jars").iterdir()] == ["first-1.0.jar"]
    assert not (tmp_path / "incoming").exists()

    asked = []

    def download(wanted, folder):
        asked.append(wanted.artifact)
        return gives(b"2")(wanted, folder)

    jars.fetch(tmp_path, (first, second), download)
    assert asked == ["second"]
    assert jars.installed(tmp_path, (first, second))


def test_what_a_killed_fetch_left_behind_is_cleared_away(tmp_path):
    left = tmp_path / "incoming" / "0"
    left.mkdir(parents=True)
    (left / "broker-1.0.jar").write_bytes(b"half")
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "old-0.9.jar").write_bytes(b"of another version")
    jars.fetch(tmp_path, (jar(b"x"),), gives(b"x"))
    assert [path.name for path in (tmp_path / "jars").iterdir()] == ["broker-1.0.jar"]
    assert not (tmp_path / "incoming").exists()


def test_a_cache_that_java_could_not_read_is_refused(tmp_path):
    with pytest.raises(CommandError, match="has a colon in its name"):
        jars.home(tmp_path / "a:b")
