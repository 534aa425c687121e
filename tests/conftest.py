"""Fixtures shared by all rooms. The servers start only when a test asks for them, and once a run."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from app.settings import Settings, load
from tests import servers
from tests.loop import TidyPolicy
from tests.simulation.rees46 import RECORDING

# Of the same code the integration says the same twice; everybody's own run looks at other examples each time.
# How long an example takes to make says something of the machine alone.
SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("same", derandomize=True, suppress_health_check=SLOW)
hypothesis.settings.register_profile("any", suppress_health_check=SLOW)
if os.environ.get("BOOMERANG_REQUIRE_ALL"):
    hypothesis.settings.load_profile("same")
else:
    hypothesis.settings.load_profile("any")

asyncio.set_event_loop_policy(TidyPolicy())


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """Settings of the person who runs the tests do not reach them (the cache of the fetched Kafka does)."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("BOOMERANG_") and name not in ("BOOMERANG_REQUIRE_ALL", "BOOMERANG_CACHE"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """A real broker, `host:port`: one per process of tests. Give topics and groups a prefix of your own (`topic_prefix`)."""
    with servers.scratch_folder("kafka") as folder, servers.running_kafka(folder) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def _valkey() -> Iterator[str]:
    with servers.scratch_folder("valkey") as folder, servers.running_valkey(folder) as url:
        yield url


@pytest.fixture
def valkey_url(_valkey: str) -> str:
    """A real Valkey, empty: one per process of tests, emptied before each test that asks for it."""
    import redis

    with redis.Redis.from_url(_valkey) as client:
        client.flushall()
    return _valkey


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix that is this test's alone."""
    return f"t{hashlib.blake2b(request.node.nodeid.encode(), digest_size=6).hexdigest()}-"


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives a port that nobody listens on."""
    return servers.free_port


@pytest.fixture
def make_settings(request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str) -> Callable[..., Settings]:
    """Settings wired to the run's Kafka and Valkey, with free ports and a data folder of the test's own.

    `make_settings(kafka="", redis="")` starts neither. Nobody sleeps: what a test sees does not depend on the hour.
    """

    def make(**overrides: Any) -> Settings:
        values: dict[str, Any] = {
            "topic_prefix": topic_prefix,
            "data": tmp_path / "data",
            "grace": 0.2,
            "policy": Path(__file__).parent / "awake.yaml",
            **{item.name: servers.free_port() for item in fields(Settings) if item.name.endswith("_port")},
            **overrides,
        }
        if "kafka" not in values:
            values["kafka"] = f"kafka://{request.getfixturevalue('kafka')}"
        if "redis" not in values:
            values["redis"] = request.getfixturevalue("valkey_url")
        Path(values["data"]).mkdir(parents=True, exist_ok=True)
        return load({}, **values)

    return make


@pytest.fixture
def process(tmp_path: Path) -> Iterator[servers.Children]:
    """Starts `boomerang X` and other children; ends them after the test, by pid."""
    children = servers.Children(tmp_path / "children")
    yield children
    children.close()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`await eventually(condition, timeout)`: waits for a condition, plain or async."""
    return servers.eventually


@pytest.fixture(scope="session")
def recording() -> Path:
    """The real recording beside the checkout: a test that needs it is skipped without it, and fails where all is required."""
    if not RECORDING.exists():
        told = f"the recording is absent: {RECORDING.name} belongs beside the checkout, in shared/data"
        if os.environ.get("BOOMERANG_REQUIRE_ALL"):
            pytest.fail(told)
        pytest.skip(told)
    return RECORDING
