"""The peers' kit: the same job in other engines. It is run from where it lies; nothing of it is copied into the project.

`BOOMERANG_PEERS` names its folder; without that it is looked for in `../shared/peers` beside the checkout. What it builds (its
interpreter, its jars) needs a writable folder: where it lies in a read-only one, it is set up in a copy under the cache.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from app.embedded.state import free_port
from app.settings import load

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "peers"
SETUP_S = 900
RUN_S = 900
EXTERNAL = ("java", "mvn")
SKIPPED = 77
"""Exit status of a bench that has not run because something is not there that it needs and we do not bring."""


logging.getLogger("aiokafka").setLevel("CRITICAL")  # a topic just made has no leader for some milliseconds


class Absent(Exception):  # noqa: N818 - says what is the matter
    """There is no kit, or it cannot be set up here. The text says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def skipped(why):
    """Say what is missing; the exit status that tells so."""
    say(f"SKIPPED: {why}")
    return SKIPPED


def locate():
    """The kit's folder, set up. Raises Absent."""
    named = os.environ.get("BOOMERANG_PEERS")
    source = Path(named).resolve() if named else BESIDE
    if not (source / "run.py").exists():
        raise Absent(
            f"there is no peers' kit in {named or '../shared/peers'}; set BOOMERANG_PEERS to the folder of its run.py"
        )
    kit = source if (source / ".venv").exists() or os.access(source, os.W_OK) else _copied(source)
    if not (kit / "java-floor" / "target" / "libs").exists() or not (kit / ".venv").exists():
        _set_up(kit)
    return kit


def _copied(source):
    kit = load({}).cache.expanduser() / "peers"
    if not kit.exists():
        shutil.copytree(source, kit, ignore=shutil.ignore_patterns("data", ".venv", "target", "__pycache__"))
        for path in [kit, *kit.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    return kit


def _set_up(kit):
    missing = [name for name in EXTERNAL if shutil.which(name) is None]
    if missing:
        raise Absent(f"the peers need {' and '.join(missing)}, which this machine has not")
    say("setting up the peers' kit, once (some minutes) ...")
    done = subprocess.run(
        [sys.executable, "run.py", "setup"], cwd=kit, stdout=sys.stderr, timeout=SETUP_S, env=_environ()
    )
    if done.returncode:
        raise Absent("the peers' kit cannot be set up; its own words stand above")


def _environ(**more):
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("BOOMERANG_", "PEERS_"))}
    return {**ours, **more}


class Kit:
    """The kit with its broker running."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.bootstrap = f"127.0.0.1:{port}"
        self._environ = _environ(PEERS_KAFKA_PORT=str(port))
        self.python = folder / ".venv" / "bin" / "python"

    @property
    def broker_pid(self):
        return int((self.folder / "data" / f"kafka-{self.port}" / "broker.pid").read_text())

    def broker(self, action):
        subprocess.run(["./kafka.sh", action], cwd=self.folder, check=True, stdout=sys.stderr, env=self._environ)

    def load(self, topic, events, customers):
        """Have the kit write its stream into a topic of its making (4 partitions)."""
        command = [self.python, "generate.py", topic, "--events", str(events), "--customers", str(customers)]
        subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True, env=self._environ, timeout=RUN_S
        )

    def expected(self, events, customers):
        """What ours must give; kept beside the kit's own expectations."""
        path = self.folder / "data" / f"boomerang-{events}-{customers}.json"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            unfinished = path.with_suffix(".part")
            command = [sys.executable, "-m", "bench.oracle", self.folder, str(events), str(customers), unfinished]
            subprocess.run(command, check=True, timeout=RUN_S)
            unfinished.rename(path)
        return json.loads(path.read_text())

    def run(self, engine, events, customers, workers, *more):
        """One engine over the stream, by the kit's own runner: its line of results."""
        command = [self.python, "run.py", engine, "--events", str(events), "--customers", str(customers)]
        command += ["--workers", str(workers), "--commit", "1", *more]
        runner = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environ
        )
        try:
            out, words = runner.communicate(timeout=RUN_S)
        except BaseException:
            runner.send_signal(signal.SIGINT)  # it ends its engines, which have sessions of their own
            runner.wait(30)
            raise
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if runner.returncode or not lines:
            say(words[-2000:])
            return {"what": engine, "status": "failed"}
        return json.loads(lines[-1])


@contextmanager
def running_kit():
    """The kit with a broker of its own on a free port, ended (with its data) afterwards. Raises Absent."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave nothing behind
    kit = Kit(locate(), free_port())
    try:
        kit.broker("start")
        yield kit
    finally:
        kit.broker("stop")
