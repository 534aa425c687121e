"""Recorded events through a collector's batches."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.clock import SYSTEM
from app.replay.http import HttpReplay
from tests.browser.servers import served

EVENTS = [{"type": "track", "userId": "ann", "event": "Product Added"}] * 3


def collector(answer: Callable[[], Response]) -> Starlette:
    async def batch(_request: Request) -> Response:
        return answer()

    return Starlette(routes=[Route("/v1/batch", batch, methods=["POST"])])


async def test_what_the_collector_refused_is_counted_by_reason() -> None:
    errors = [{"index": 0, "reason": "negative_price"}, {"index": 2, "reason": "negative_price"}]
    with served(collector(lambda: JSONResponse({"success": True, "errors": errors}))) as port:
        replay = HttpReplay(f"http://127.0.0.1:{port}", "key", SYSTEM, speed=0)
        sent = await replay.run(EVENTS, lambda _count: None)
    assert sent == 3
    assert replay.refused == {"negative_price": 2}


@pytest.mark.parametrize("answer", [b"", b"ok", b"[]", b'{"errors": 7}', b'{"errors": [{}]}'])
async def test_a_collector_that_says_nothing_about_single_events_has_taken_them(answer: bytes) -> None:
    with served(collector(lambda: Response(answer))) as port:
        replay = HttpReplay(f"http://127.0.0.1:{port}", "key", SYSTEM, speed=0)
        progress: list[Any] = []
        assert await replay.run(EVENTS, progress.append) == 3
    assert not replay.refused
    assert progress == [3]
