"""What a repartition moves is what the running apps have. Whoever gives a table another input or topic says so in two places."""

from app.engine.topology import delivery_app, engine_app
from app.repartition.plan import SEAL, TABLES, check_counts, heirs, split
from app.settings import load
from app.topics import ALL, CUSTOMERS_CHANGELOG, CUSTOMERS_INPUTS, LEDGER_INPUTS, partition_of
from tables.changelog import FENCE_KEY


def test_every_table_of_the_running_apps_is_moved_with_all_its_inputs(tmp_path):
    settings = load({}, kafka="kafka://127.0.0.1:1", topic_prefix="x-", data=tmp_path)
    running = {
        (
            table.name,
            app.conf.id.removeprefix("x-"),
            table._changelog_topic_name().removeprefix("x-"),
            frozenset(table.inputs),
        )
        for app in (engine_app(settings), delivery_app(settings))
        for table in app.fenced
    }
    planned = {(one.name, one.group, one.changelog, frozenset(one.inputs)) for one in TABLES if one.inputs}
    assert running == planned, "name the inputs in app/topics.py and the rows' owner in app/repartition/plan.py"


def test_every_compacted_topic_has_an_owner_of_its_rows():
    told = "a compacted topic needs a line in app/repartition/plan.py: a repartition has to move its rows"
    assert {one.changelog for one in TABLES} == {topic.name for topic in ALL if topic.compact}, told


def test_the_topic_that_keeps_the_old_number_to_the_end_is_nobodys_input():
    assert SEAL.name not in {*CUSTOMERS_INPUTS, *LEDGER_INPUTS, *(one.changelog for one in TABLES)}


def test_a_split_leaves_every_customer_in_one_place_and_the_partitions_own_rows_in_all():
    table = next(one for one in TABLES if one.changelog == CUSTOMERS_CHANGELOG.name)
    users = [f"u{number}".encode() for number in range(400) if partition_of(f"u{number}", 4) == 1]
    rows = {FENCE_KEY: b"f", b"\0shelf:Lamps": b"s", **{user: b"r" + user for user in users}}
    done = split(rows, table.owner, 1, 4, 12)
    assert set(done.moved) == set(heirs(1, 4, 12)) == {5, 9}
    gone = {key for some in done.moved.values() for key, _ in some} - {b"\0shelf:Lamps"}
    assert gone == set(done.gone)
    assert done.kept == 1 + len(users) - len(gone)
    for home, some in done.moved.items():
        assert dict(some) == {
            b"\0shelf:Lamps": b"s",
            **{u: rows[u] for u in users if partition_of(u.decode(), 12) == home},
        }
    assert check_counts({topic.name: 4 for topic in ALL}, 12) == 4
