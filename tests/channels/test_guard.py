import asyncio

import pytest
from redis import asyncio as aioredis

from app.clock import ManualClock
from channels.guard import HOLIDAY, KEEP, Guard


@pytest.fixture
async def guarded(valkey_url):
    failures, clock = [], ManualClock()
    # a slow machine is no Redis that is away
    guard = Guard(valkey_url, "t-", clock.monotonic, lambda: failures.append(1), patience=30.0)
    yield guard, failures, clock
    await guard.stop()


async def test_an_attempt_is_spoken_once(guarded, valkey_url):
    guard, failures, _ = guarded
    assert await guard.first("ab.0", 0)
    assert not await guard.first("ab.0", 0)
    assert await guard.first("cd.0", 0)
    assert not failures
    async with aioredis.Redis.from_url(valkey_url) as client:
        assert 0 < await client.ttl("t-boomerang:spoken:ab.0") <= KEEP


async def test_an_attempt_after_a_failed_one_may_speak_and_then_counts(guarded):
    guard, _, _ = guarded
    assert await guard.first("ab.0", 0)
    assert await guard.first("ab.0", 1)
    assert not await guard.first("ab.0", 1)
    assert not await guard.first("ab.0", 0)  # an old program, or an old copy of the ledger


async def test_many_at_once_share_the_connections(guarded):
    guard, failures, _ = guarded
    answers = await asyncio.gather(*(guard.first(f"{n % 100}.0", 0) for n in range(300)))
    assert sum(answers) == 100 and not failures


async def test_without_redis_the_ledger_decides_and_redis_gets_a_rest(free_port):
    failures, clock = [], ManualClock()
    guard = Guard(f"redis://127.0.0.1:{free_port()}", "", clock.monotonic, lambda: failures.append(1))
    assert await guard.first("ab.0", 0) and await guard.first("ab.0", 0)
    assert len(failures) == 2
    clock.advance(HOLIDAY)
    assert await guard.first("ab.0", 0)
    await guard.stop()


async def test_a_hanging_redis_delays_one_message_by_a_quarter_of_a_second(free_port):
    accepted = []

    async def hang(reader, writer):
        accepted.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    clock, failures = ManualClock(), []
    guard = Guard(
        f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", "", clock.monotonic, lambda: failures.append(1)
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await guard.first("ab.0", 0)
    assert loop.time() - began < 2.0
    began = loop.time()
    for _ in range(50):
        assert await guard.first("ab.0", 0)
    assert loop.time() - began < 0.2 and len(failures) == 51
    await guard.stop()
    server.close()
    for writer in accepted:
        writer.close()
    await server.wait_closed()


async def test_a_look_tells_connections_and_memory_and_nothing_when_redis_is_away(guarded):
    guard, failures, _ = guarded
    await guard.first("ab.0", 0)
    health = await guard.look()
    assert health.memory > 100_000
    assert health.busy + health.idle >= 1
    await guard.stop()
    away = Guard("redis://127.0.0.1:1/0", "t-", ManualClock().monotonic, lambda: failures.append(1))
    assert await away.look() is None
    await away.stop()
