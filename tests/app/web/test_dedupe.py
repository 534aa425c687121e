"""Recent ids in a real Valkey: looked up and remembered in one round trip."""

import os
from collections.abc import AsyncIterator

import pytest
import redis

from app.clock import ManualClock
from app.web.collector.dedupe import CHUNK, ID_BYTES, KEEP_SECONDS, RedisIds


def ids(number: int) -> list[bytes]:
    return [os.urandom(ID_BYTES) for _ in range(number)]


@pytest.fixture
async def recent(valkey_url: str) -> AsyncIterator[RedisIds]:
    recent = RedisIds(valkey_url, ManualClock(), prefix="t-")
    yield recent
    await recent.close()


def commands(url: str) -> int:
    """How many scripts Valkey has run."""
    with redis.Redis.from_url(url) as client:
        told = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})
        return int(told["calls"])


async def test_those_that_were_remembered_are_known_and_no_others(recent: RedisIds) -> None:
    seen, others = ids(3 * CHUNK // 2), ids(3 * CHUNK // 2)
    assert await recent.known(seen + others) == set()
    recent.remember(seen)
    mixed = [id_ for pair in zip(seen, others, strict=True) for id_ in pair]
    for _ in range(2):  # a look-up takes a part of them along
        assert await recent.known(ids(CHUNK)) == set()
    assert await recent.known(mixed) == set(seen)


async def test_a_look_up_takes_along_what_is_to_be_remembered(recent: RedisIds, valkey_url: str) -> None:
    await recent.known(ids(1))  # the script is there from now on
    before = commands(valkey_url)
    seen = ids(20)
    recent.remember(seen)
    assert await recent.known([*ids(20), seen[7]]) == {seen[7]}
    assert commands(valkey_url) - before == 1


async def test_without_a_look_up_they_are_remembered_soon(recent: RedisIds, valkey_url: str, eventually) -> None:
    await recent.start()
    seen = ids(CHUNK + 1)
    recent.remember(seen)
    with redis.Redis.from_url(valkey_url) as client:
        await eventually(lambda: client.exists(*(b"t-seen:" + id_ for id_ in seen)) == len(seen))
        assert 0 < client.ttl(b"t-seen:" + seen[0]) <= KEEP_SECONDS


async def test_closing_remembers_what_is_left(valkey_url: str) -> None:
    recent, seen = RedisIds(valkey_url, ManualClock(), prefix="t-"), ids(2)
    recent.remember(seen)
    await recent.close()
    again = RedisIds(valkey_url, ManualClock(), prefix="t-")
    assert await again.known(seen) == set(seen)
    await again.close()


async def test_an_id_of_any_bytes_is_one(recent: RedisIds) -> None:
    odd = [bytes(ID_BYTES), b"\xff" * ID_BYTES, b"\r\n" * (ID_BYTES // 2), b"%s$*\0" + b"%" * (ID_BYTES - 5)]
    recent.remember(odd[:2])
    assert await recent.known(odd) == set(odd[:2])
