"""`boomerang audience` over a changelog in Kafka: what is written last of a customer counts, and nothing of it reaches the terminal."""

import asyncio
import shutil
from hashlib import sha256

import pytest
from aiokafka import AIOKafkaProducer

from app.bounds import BUILT_IN_SEGMENTS
from app.cli import main
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.settings import environment
from app.topics import CUSTOMERS_CHANGELOG, partition_of
from tables.changelog import Codec
from tables.customer import Customer, Engagement, Permission, Pointer, Profile, Row

pytestmark = [pytest.mark.broker]


def customer(name, *, member=True, agreed=True, audiences=None):
    return Customer(
        1.0, 1.0, 1.0,
        profile=Profile(email=f"{name}@shop.example"),
        consent={"ads": Permission(agreed, 1.0)},
        engagement=Engagement({"lapsed_90d": 1.0} if member else None, audiences=audiences),
    )  # fmt: skip


async def write(settings, rows):
    codec = Codec(Row)
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    for key, row in rows:
        value = None if row is None else codec.encode_row(row)
        topic = settings.topic_prefix + CUSTOMERS_CHANGELOG.name
        await producer.send_and_wait(topic, value, key=key.encode(), partition=partition_of(key, settings.partitions))
    await producer.stop()


async def test_an_audience_is_what_the_state_says_last(make_settings, monkeypatch, tmp_path, capsys):
    folder = shutil.copytree(BUILT_IN_SEGMENTS, tmp_path / "segments")
    settings = make_settings(redis="", segments=folder)
    await provision(settings)
    rows = [(name, customer(name)) for name in ("ann", "bob", "eve", "gone", "moved", "twice")]
    rows += [("no", customer("no", agreed=False)), ("other", customer("other", member=False))]
    rows += [
        ("bob", customer("bob", member=False)),
        ("gone", None),
        ("moved", Pointer("ann")),
        ("twin", customer("twice")),
    ]
    await write(settings, rows)
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "audience.csv"
    status = await asyncio.to_thread(main, ["audience", "lapsed_90d", "--format", "meta", "--to", str(out)])
    told = capsys.readouterr()
    assert status == 0, told.err
    expected = {sha256(f"{name}@shop.example".encode()).hexdigest() + "," for name in ("ann", "eve", "twice")}
    lines = out.read_text().splitlines()
    assert (lines[0], sorted(lines[1:])) == ("email,phone", sorted(expected))
    assert out.stat().st_mode & 0o777 == 0o600
    assert "3 lines for meta" in told.err
    assert "shop.example" not in told.err + told.out

    for words, hint in (
        (["laps_90d", "--format", "meta"], "did you mean 'lapsed_90d'?"),
        (["champions", "--format", "meta", "--to", str(out)], "nobody to tell"),
    ):
        assert await asyncio.to_thread(main, ["audience", *words]) == 1
        assert hint in capsys.readouterr().err
    assert out.read_text().splitlines() == lines
    assert await asyncio.to_thread(main, ["audience", "lapsed_90d", "--format", "yandex", "--to", str(out)]) == 0
    assert "takes a file of 100 lines at the least" in capsys.readouterr().err


JOURNEY = """
id: {id}
title: Looked
family: {id}
priority: 1
version: 1
entry: {{event: Product Viewed}}
steps:
  - audience: {{add: {add}, remove: taken_off}}
"""


async def test_an_audience_that_a_step_adds_to_is_written_too(make_settings, monkeypatch, tmp_path, capsys):
    folder = shutil.copytree(BUILT_IN_SEGMENTS, tmp_path / "segments")
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    for name in ("lookers", "lapsed_90d"):
        (scenarios / f"{name}.yaml").write_text(JOURNEY.format(id=f"to_{name}", add=name))
    settings = make_settings(redis="", segments=folder, scenarios=scenarios)
    await provision(settings)
    rows = [
        ("ann", customer("ann", audiences={"lookers": 1.0})),
        ("bob", customer("bob", audiences={"lookers": 1.0}, agreed=False)),
        ("eve", customer("eve", member=False, audiences={"lookers": 1.0, "lapsed_90d": 2.0})),
        ("other", customer("other")),
        ("off", customer("off", audiences={"lookers": 1.0})),
        ("off", customer("off", audiences={})),
    ]
    await write(settings, rows)
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)

    async def said(*words):
        status = await asyncio.to_thread(main, ["audience", *words, "--format", "meta"])
        told = capsys.readouterr()
        return status, sorted(told.out.splitlines()[1:]), told.err

    def digests(*names):
        return sorted(sha256(f"{name}@shop.example".encode()).hexdigest() + "," for name in names)

    status, lines, error = await said("lookers")
    assert (status, lines) == (0, digests("ann", "eve")), error
    assert (await said("lapsed_90d", "--kind", "audience"))[:2] == (0, digests("eve"))
    assert (await said("lapsed_90d", "--kind", "segment"))[:2] == (0, digests("ann", "off", "other"))
    for words, hint in (
        (["lapsed_90d"], "say `--kind segment` or `--kind audience`"),
        (["loookers"], "did you mean 'lookers'?"),
        (["taken_off"], "no step"),
        (["lookers", "--kind", "segment"], "no segment 'lookers'"),
    ):
        status, lines, error = await said(*words)
        assert status == 1 and hint in error
