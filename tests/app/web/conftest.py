"""The collector without a network: its ASGI application over a sink and a memory of ids that live in this process."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.clock import ManualClock
from app.codec import decode_dead_letter, decode_event, decode_receipt
from app.model.event import Event
from app.model.journal import DeadLetter
from app.model.receipt import Receipt
from app.settings import Settings, load
from app.web.collector.asgi import Collector
from app.web.collector.dedupe import NoIds
from app.web.collector.intake import Intake
from app.web.collector.record import Record, settle

NOW = 1_795_332_000.0
"""2026-11-22T07:20:00Z"""
ORIGIN = "https://shop.example"


class MemorySink:
    """Keeps what it is given. `up` decides whether it acknowledges; `held` keeps records waiting."""

    def __init__(self) -> None:
        self.outcome: Any = None
        self.records: list[Record] = []
        self.waiting: list[Record] = []
        self.up, self.held, self.closed = True, False, False

    @property
    def ready(self) -> bool:
        return self.up

    def put(self, records: list[Record]) -> None:
        if self.held:
            self.waiting += records
            return
        if self.up:
            self.records += records
        self.outcome(records, self.up)
        if self.up:
            settle(records)
            return
        for record in records:
            record.fail()

    def release(self) -> None:
        self.held = False
        waiting, self.waiting = self.waiting, []
        self.put(waiting)

    async def start(self) -> None:
        pass

    async def close(self, within: float) -> None:
        self.closed = True
        self.release()


class House:
    """A collector to talk to, and what came out of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = ManualClock(NOW)
        self.sink = MemorySink()
        self.intake = Intake(self.sink, NoIds())
        self.app = Collector(settings, self.clock, self.intake)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=("203.0.113.7", 40000)), base_url="http://collector"
        )

    async def post(self, path: str, body: Any, key: str = "server", **headers: str) -> httpx.Response:
        """POST JSON (or bytes as they are) with a write key (`server`, `browser`, or empty for none) by Basic."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            headers.setdefault("authorization", "Basic " + base64.b64encode(f"{key}-key:".encode()).decode())
        return await self.http.post(path, content=content, headers=headers)

    def _of(self, topic: str) -> list[bytes]:
        return [record.value for record in self.sink.records if record.topic == topic]

    @property
    def raw(self) -> list[dict[str, Any]]:
        return [json.loads(value) for value in self._of("clickstream")]

    @property
    def events(self) -> list[Event]:
        return [decode_event(value) for value in self._of("clickstream")]

    @property
    def dead(self) -> list[DeadLetter]:
        return [decode_dead_letter(value) for value in self._of("dead-letters")]

    @property
    def receipts(self) -> list[Receipt]:
        return [decode_receipt(value) for value in self._of("receipts")]

    async def dead_letters(self, number: int) -> list[DeadLetter]:
        """The dead letters, once there are that many: those of single events are written after the answer."""
        await self.intake.publish([Record("fence", 0, b"", b"")])
        assert len(self.dead) == number
        return self.dead


@pytest.fixture
def web_settings(tmp_path: Path) -> Settings:
    return load(
        {},
        data=tmp_path,
        write_keys="browser:browser-key,server:server-key,server:id:secret",
        cors_origins=f"{ORIGIN},http://localhost:8002",
        secret="a secret of the tests, long enough",
        rate_per_key=1_000_000,
        rate_per_address=1_000_000,
        public_url="https://events.shop.example",
        locale="en",
    )


@pytest.fixture
async def house(web_settings: Settings) -> AsyncIterator[House]:
    house = House(web_settings)
    await house.intake.start()
    yield house
    await house.http.aclose()
    await house.intake.close()


@pytest.fixture
def rebuilt(web_settings: Settings):
    """`async with rebuilt(cors_origins="")`: a collector with other settings."""
    from contextlib import asynccontextmanager
    from dataclasses import replace

    @asynccontextmanager
    async def build(**changes: Any) -> AsyncIterator[House]:
        house = House(replace(web_settings, **changes))
        await house.intake.start()
        try:
            yield house
        finally:
            await house.http.aclose()
            await house.intake.close()

    return build


def track(event: str = "Product Added", **more: Any) -> dict[str, Any]:
    """A track event as any client would send it."""
    properties = more.pop("properties", {"product_id": "507", "price": 12.5})
    return {"type": "track", "event": event, "anonymousId": "visitor-1", "properties": properties, **more}


def decodes(value: bytes) -> Event:
    """The event, read with the core's own decoder."""
    try:
        return decode_event(value)
    except msgspec.ValidationError as error:
        raise AssertionError(f"the core cannot read {value!r}: {error}") from None
