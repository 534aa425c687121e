"""A connection that a test leaves open must not fail another one."""

import asyncio
import gc
import warnings

import pytest


async def leave_open():
    """A client and a server whose connection nobody closes."""
    loop, met = asyncio.get_running_loop(), asyncio.Event()

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            met.set()

    server = await loop.create_server(Server, "127.0.0.1", 0)
    await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname()[:2])
    await met.wait()
    server.close()


def complaints(make):
    with warnings.catch_warnings(record=True) as told, asyncio.Runner(loop_factory=make) as runner:
        warnings.simplefilter("always")
        runner.run(leave_open())
        runner.close()
        gc.collect()
    return [str(one.message) for one in told if one.category is ResourceWarning]


def test_what_is_left_open_is_closed_with_the_loop():
    assert complaints(None) == []


def test_without_that_it_would_be_complained_of_later():
    assert any("unclosed transport" in said for said in complaints(asyncio.SelectorEventLoop))


@pytest.mark.parametrize("times", [1, 2])
def test_a_loop_may_be_closed_twice(times):
    loop = asyncio.new_event_loop()
    for _ in range(times):
        loop.close()
    assert loop.is_closed()
