"""Tasks are told to end until they do."""

import asyncio

import pytest

from app import ending
from app.ending import end


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.01)


async def test_a_task_that_forgets_that_it_was_cancelled_is_told_again():
    told, begun = [], asyncio.Event()

    async def forgetful():
        while len(told) < 3:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(1)

    task = asyncio.ensure_future(forgetful())
    await begun.wait()
    await end(task)
    assert task.done() and len(told) == 3


async def test_what_tasks_raise_is_forgotten_and_those_that_are_over_are_no_trouble():
    async def failing():
        raise ValueError

    async def waiting():
        await asyncio.Event().wait()

    over = asyncio.ensure_future(asyncio.sleep(0))
    await over
    tasks = [over, asyncio.ensure_future(failing()), asyncio.ensure_future(waiting())]
    await asyncio.sleep(0)
    await end(*tasks)
    assert [task.done() for task in tasks] == [True] * 3
    await end()
