"""Tasks that go on beside an app."""

import asyncio
import logging

from app.engine.beside import Beside


async def test_a_task_that_fails_says_so_at_once(caplog):
    class Failing(Beside):
        async def _run(self):
            raise RuntimeError("no such package")

    failing = Failing("cooling")
    with caplog.at_level(logging.ERROR):
        await failing.start()
        await asyncio.wait([failing._task])
        await asyncio.sleep(0)
    assert "cooling has ended: RuntimeError('no such package')" in caplog.text
    await failing.stop()


async def test_one_that_is_ended_says_nothing(caplog):
    class Waiting(Beside):
        async def _run(self):
            await asyncio.Event().wait()

    waiting = Waiting("waiting")
    await waiting.start()
    await waiting.stop()
    await asyncio.sleep(0)
    assert not caplog.records
