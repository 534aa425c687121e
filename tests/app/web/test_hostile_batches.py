"""One event of a batch that nobody can write costs that event, or the batch, a reason: never a 500, which clients repeat for ever."""

import json
from typing import Any

import pytest

from tests.app.web.conftest import House, track

PADDING = "x" * 20_000


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"d": value}
    return value


@pytest.mark.parametrize(
    "odd",
    [
        json.dumps(track("x", messageId="odd", deep=nested(300))),
        json.dumps(track("x", messageId="odd", note="\ud83d")),
        json.dumps(track("x", messageId="odd", note=1 << 70)).replace("{", '{"a":1,"a":2,', 1),
    ],
    ids=["deep", "half an emoji", "a large number"],
)
async def test_a_large_batch_loses_at_most_the_event_that_cannot_be_written(house: House, odd: str) -> None:
    good = [json.dumps(track("x", messageId=f"m{n}", note=PADDING)) for n in range(3)]
    response = await house.post("/v1/batch", f'{{"batch":[{",".join([*good, odd])}]}}'.encode())
    assert response.status_code == 200
    assert {"m0", "m1", "m2"} <= {event.messageId for event in house.events}


async def test_a_context_of_a_batch_that_is_too_deep_is_left_out(house: House) -> None:
    response = await house.post("/v1/batch", {"batch": [track("x", messageId="m1")], "context": nested(300)})
    assert response.status_code == 200
    assert [event.messageId for event in house.events] == ["m1"]
