"""A first run of the broker in a folder that is thrown away, from which the JVM makes its AOT cache."""

import contextlib
import tempfile
from pathlib import Path

from app.embedded import kafka
from app.embedded.logs import ChildLog
from app.embedded.process import Process, StartError
from app.embedded.state import free_port

STOP_SECONDS = 120.0
"""The cache is written at the end, by a second JVM: 8 s on two cores, much longer where they are busy."""


def make_aot_cache(installation: kafka.Installation) -> str:
    """Make the AOT cache; returns what went wrong, or an empty text. Kafka runs without it, so nothing is raised."""
    target = installation.aot_cache
    with tempfile.TemporaryDirectory(prefix="boomerang-kafka-") as scratch:
        folder = Path(scratch)
        fresh = target.with_name(f"{target.name}.new")
        port, controller_port = free_port(), free_port()
        properties = kafka.prepare(installation, folder, port, controller_port)
        command = installation.java("kafka.Kafka", str(properties), flags=(f"-XX:AOTCacheOutput={fresh}",))
        broker = Process("kafka", command, ChildLog(folder / "kafka.out"))
        try:
            broker.wait_ready(lambda: kafka.is_ready(port), 60.0)
        except StartError as error:
            return str(error)
        finally:
            broker.stop(STOP_SECONDS)
        with contextlib.suppress(FileNotFoundError):
            fresh.replace(target)
            return ""
        return "the JVM wrote no cache"
