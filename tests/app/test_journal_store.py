"""The journal's database, on real SQLite and on real PostgreSQL."""

import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest

from app import journal_database
from app.codec import encode_json
from app.errors import JournalDownError
from app.journal_store import MAX_KEYS, PRUNE_BATCH, JournalStore, Place
from app.model.journal import JournalLine
from app.model.reasons import Reason

NOW = 1_795_000_000.0


def place(line, offset=0, partition=0):
    return Place(partition, offset, encode_json(line), line)


def armed(at, customer="anna", scenario="abandoned_cart", **fields):
    return JournalLine(at, customer, Reason.ARMED, scenario, **fields)


def _postgres_programs():
    found = [
        Path(shutil.which("initdb") or "/nowhere/initdb").parent,
        *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
    ]
    return next((folder for folder in reversed(found) if (folder / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A real PostgreSQL on a free port, as a user of its own when the tests run as root."""
    programs = _postgres_programs()
    if programs is None:
        assert not os.environ.get("BOOMERANG_REQUIRE_ALL"), "install PostgreSQL: apt-get install postgresql"
        pytest.skip("PostgreSQL IS NOT INSTALLED: the journal is not tested on it (apt-get install postgresql)")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(subprocess.check_output([*as_user, "mktemp", "-d", "/tmp/boomerang-pg-XXXXXX"], text=True).strip())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": "/"}
    subprocess.run([*as_user, programs / "initdb", "-D", folder / "db", "-U", "tests", "-A", "trust", "-N"], **quiet)
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_user, programs / "pg_ctl", "-D", folder / "db", "-w"]
    subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], **quiet)
    yield f"postgresql://tests@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.sqlite"
    address = request.getfixturevalue("postgres")
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS journal, journal_links, journal_worth")
    return address


@pytest.fixture
def store(url):
    store = JournalStore(url)
    yield store
    store.close()


def lines_of(store, *arguments, **options):
    return [item.line for item in store.for_customer(*arguments, **options)]


def test_a_line_comes_back_as_it_was(store):
    line = JournalLine(
        NOW,
        "анна",
        Reason.CAP,
        "abandoned_cart",
        "ab" * 16,
        "m-1",
        "email",
        NOW + 60,
        {"last": NOW, "n": 3, "text": "«Чай» 🫖"},
    )
    store.insert([place(line)])
    assert lines_of(store, "анна") == [line]


def test_the_customer_of_a_message_is_found_by_its_trigger(store):
    line = JournalLine(NOW, "anna", Reason.SENT, "abandoned_cart", "t1", channel="email")
    store.insert([place(line), place(armed(NOW, "boris", trigger_id="t2"), 1)])
    assert store.customer_of("t1", NOW - 5) == "anna"
    assert store.customer_of("t1", NOW - 3600) == ""
    assert store.customer_of("t2", NOW) == ""


def test_a_line_delivered_twice_is_stored_once(store):
    places = [place(armed(NOW + at), at) for at in range(10)]
    store.insert(places[:6])
    store.insert(places)
    store.insert([*places, *places])
    assert store.counts(0) == {"armed": 10}


def test_equal_lines_at_different_offsets_are_different_lines(store):
    store.insert([place(armed(NOW), 1), place(armed(NOW), 2), place(armed(NOW), 1, partition=3)])
    assert store.counts(0) == {"armed": 3}


def test_a_broker_that_counts_from_zero_again_loses_nothing(store):
    store.insert([place(armed(NOW), 0)])
    store.insert([place(armed(NOW + 1), 0)])
    assert store.counts(0) == {"armed": 2}


def test_lines_come_in_the_order_of_their_time(store):
    store.insert([place(armed(NOW + at), at) for at in (5, 1, 3)])
    assert [line.at - NOW for line in lines_of(store, "anna")] == [1, 3, 5]


def test_the_limit_keeps_the_newest(store):
    store.insert([place(armed(NOW + at), at) for at in range(10)])
    assert [line.at - NOW for line in lines_of(store, "anna", limit=3)] == [7, 8, 9]


def test_pages_join_without_a_gap_even_where_times_are_equal(store):
    store.insert([place(armed(NOW + at // 4), at) for at in range(20)])
    whole = [item.id for item in store.for_customer("anna")]
    pages, before = [], 0
    while page := store.for_customer("anna", limit=3, before=before):
        pages = [item.id for item in page] + pages
        before = page[0].id
    assert pages == whole


def test_a_story_can_be_narrowed_to_a_scenario_and_a_time(store):
    store.insert([place(armed(NOW + at, scenario=f"s{at % 2}"), at) for at in range(6)])
    assert [line.at - NOW for line in lines_of(store, "anna", "s1", NOW + 3)] == [1, 3]


def test_a_visitor_and_the_user_that_she_became_are_one_story(store):
    store.insert(
        [
            place(armed(NOW, "anon:a"), 0),
            place(JournalLine(NOW + 1, "anna", Reason.LINKED, detail={"alias": "anon:a", "owner": "anna"}), 1),
            place(
                JournalLine(NOW + 2, "anna", Reason.LINKED, detail={"alias": "email:x@y.example", "owner": "anna"}), 2
            ),
            place(armed(NOW + 3, "boris"), 3),
            place(JournalLine(NOW + 4, "boris", Reason.LINK_REFUSED, detail={"alias": "anon:a", "owner": "boris"}), 4),
        ]
    )
    for key in ("anna", "anon:a", "email:x@y.example", "a"):
        assert [line.at - NOW for line in lines_of(store, key)] == [0, 1, 2], key
    assert store.keys_of("anon:a") == ["anon:a", "anna", "email:x@y.example"]
    assert [line.at - NOW for line in lines_of(store, "boris")] == [3, 4]


def test_a_customer_of_very_many_keys_is_bounded(store):
    links = [
        JournalLine(NOW, "anna", Reason.LINKED, detail={"alias": f"anon:{at}", "owner": "anna"}) for at in range(200)
    ]
    store.insert([place(line, at) for at, line in enumerate(links)])
    assert len(store.keys_of("anna")) == MAX_KEYS


def test_links_in_a_circle_come_to_an_end(store):
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")]
    store.insert(
        [
            place(JournalLine(NOW, owner, Reason.LINKED, detail={"alias": alias, "owner": owner}), at)
            for at, (alias, owner) in enumerate(pairs)
        ]
    )
    assert sorted(store.keys_of("a")) == ["a", "b", "c"]


def test_recent_lines_go_on_after_a_number(store):
    store.insert([place(armed(NOW + at), at) for at in range(5)])
    first = store.recent(limit=2)
    store.insert([place(armed(NOW + 9), 9)])
    assert [item.line.at - NOW for item in store.recent(after_id=first[-1].id)] == [9]


def test_counts_look_back_to_a_time(store):
    store.insert([place(armed(NOW), 0), place(armed(NOW + 5), 1), place(JournalLine(NOW + 5, "b", Reason.SENT), 2)])
    assert store.counts(NOW + 1) == {"armed": 1, "sent": 1}


def test_pruning_removes_what_is_older_and_nothing_else(store):
    store.insert([place(armed(NOW + at), at) for at in range(10)])
    assert store.prune(NOW + 4) == 4
    assert [line.at - NOW for line in lines_of(store, "anna")] == [4, 5, 6, 7, 8, 9]
    assert store.prune(NOW + 4) == 0


def test_pruning_stops_after_the_allowed_batches(store):
    store.insert([place(armed(NOW + at), at) for at in range(PRUNE_BATCH + 10)])
    assert store.prune(NOW * 2, batches=1) == PRUNE_BATCH
    assert store.prune(NOW * 2) == 10


def test_pruning_forgets_old_links_too(store):
    store.insert([place(JournalLine(NOW, "anna", Reason.LINKED, detail={"alias": "anon:a", "owner": "anna"}))])
    store.prune(NOW + 1)
    assert store.keys_of("anna") == ["anna"]


def test_what_sql_must_not_see_does_no_harm(store):
    nasty = ["'; DROP TABLE journal; --", "%", "a\x00b", "\\", "x" * 5_000]
    store.insert([place(armed(NOW, name), at) for at, name in enumerate(nasty)])
    for name in nasty:
        assert len(store.for_customer(name)) == 1, name


def test_a_huge_number_in_a_detail_is_kept(store):
    line = armed(NOW, detail={"n": 10**25})
    store.insert([place(line)])
    assert lines_of(store, "anna") == [line]


def test_many_processes_may_open_a_new_database_at_once(url):
    failures = []

    def open_and_write(number):
        try:
            store = JournalStore(url)
            for at in range(20):
                store.insert([place(armed(NOW + at), at, partition=number)])
            store.close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_and_write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    store = JournalStore(url)
    assert store.counts(0) == {"armed": 120}
    store.close()


class Refusing:
    """A cursor of a database whose mode others are changing: it refuses at once, as SQLite does, some times."""

    def __init__(self, refusals, code=sqlite3.SQLITE_BUSY):
        self.left = refusals
        self.asked = 0
        self.error = sqlite3.OperationalError("database is locked")
        self.error.sqlite_errorcode = code

    def execute(self, statement):
        assert statement == "PRAGMA journal_mode=WAL"
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.error


def test_a_mode_that_others_change_at_the_moment_is_asked_for_again(monkeypatch):
    monkeypatch.setattr(journal_database, "WAL_PAUSE", 0.0)
    cursor = Refusing(refusals=3)
    journal_database._write_ahead(cursor)
    assert cursor.asked == 4


def test_a_database_that_stays_locked_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(journal_database, "WAL_PAUSE", 0.0)
    cursor = Refusing(refusals=10_000)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        journal_database._write_ahead(cursor)
    assert cursor.asked == journal_database.WAL_TRIES


def test_a_database_that_cannot_be_written_is_not_waited_for():
    cursor = Refusing(refusals=10_000, code=sqlite3.SQLITE_READONLY)
    with pytest.raises(sqlite3.OperationalError):
        journal_database._write_ahead(cursor)
    assert cursor.asked == 1


def test_a_store_opened_again_has_its_lines(url):
    first = JournalStore(url)
    first.insert([place(armed(NOW))])
    first.close()
    second = JournalStore(url)
    assert len(second.for_customer("anna")) == 1
    second.close()


def test_sqlite_is_in_wal_mode_so_that_readers_do_not_wait(tmp_path):
    store = JournalStore(f"sqlite:///{tmp_path}/deep/er/journal.sqlite")
    store.insert([place(armed(NOW))])
    assert (tmp_path / "deep/er/journal.sqlite-wal").exists()
    store.close()


@pytest.mark.parametrize(
    "url", ["mysql://u@h/d", "not a url", "postgresql://nobody:hush@127.0.0.1:1/x", "sqlite:////proc/no/way.sqlite"]
)
def test_a_database_that_cannot_be_used_is_named_in_one_line_without_its_password(url):
    with pytest.raises(JournalDownError) as error:
        JournalStore(url).recent(1)
    assert "BOOMERANG_SQL" in str(error.value)
    assert "hush" not in str(error.value)
    assert "\n" not in str(error.value)
