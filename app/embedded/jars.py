"""The broker's jars: named with their SHA-256 in `kafka.lock`, fetched once by jgo from its default repository.

A jar enters the folder `jars` only when whole and verified, in one rename: an interrupted run is taken up where it stopped.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.errors import CommandError

LOCK = Path(__file__).with_name("kafka.lock")
COORDINATES = ("org.apache.kafka:kafka_2.13:4.1.1", "org.slf4j:slf4j-simple:1.7.36")
"""The broker, and what makes its log appear. Resolved one by one: together, one's constraints change the other's versions."""
PARALLEL = 4
TRIES = 3


class Jar(NamedTuple):
    """One line of the lock."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        """Its name in a Maven repository, and in ours."""
        return f"{self.artifact}-{self.version}.jar"


Download = Callable[[Jar, Path], Path]
"""Fetches a jar into a folder and returns its path; raises anything on failure."""
Progress = Callable[[int, int], None]
"""Told (jars done, jars in all) after each jar."""


def read_lock(path: Path = LOCK) -> tuple[Jar, ...]:
    """The jars of the lock, in order. Raises CommandError for a damaged one."""
    jars = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, _, coordinates = line.partition("  ")
            parts = coordinates.split(":")
            if len(sha256) != 64 or len(parts) != 3:
                raise CommandError(f"{path.name} is damaged at {line[:80]!r}; restore it from the repository")
            jars.append(Jar(sha256, *parts))
    return tuple(jars)


def home(cache: Path) -> Path:
    """The folder of this lock's jars in the cache: another lock has another folder. Raises CommandError for an unusable one."""
    folder = cache.expanduser().absolute()
    if ":" in str(folder):
        raise CommandError(f"the folder {folder} has a colon in its name, which Java cannot take; set BOOMERANG_CACHE")
    return folder / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


def installed(folder: Path, jars: Iterable[Jar]) -> bool:
    """Whether all jars are there and unchanged since they were verified (by size and time; quick)."""
    try:
        stamp = json.loads((folder / "verified.json").read_text())
        return all(stamp.get(jar.sha256) == _look(folder / "jars" / jar.file_name) for jar in jars)
    except (OSError, ValueError, AttributeError):
        return False


def fetch(
    folder: Path, jars: tuple[Jar, ...], download: Download, progress: Progress = lambda _done, _total: None
) -> None:
    """Make `folder/jars` hold exactly the locked jars. Raises CommandError when one cannot be had or differs."""
    kept = folder / "jars"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{kept} cannot be made ({error.strerror}); set BOOMERANG_CACHE to another folder") from None
    with _alone(folder):
        missing = [jar for jar in jars if sha256_of(kept / jar.file_name) != jar.sha256]
        progress(len(jars) - len(missing), len(jars))
        staging = folder / "incoming"
        shutil.rmtree(staging, ignore_errors=True)
        with ThreadPoolExecutor(PARALLEL) as pool:
            tasks = [
                pool.submit(_fetch_one, jar, staging / str(number), kept, download)
                for number, jar in enumerate(missing)
            ]
            try:
                for done, task in enumerate(as_completed(tasks), len(jars) - len(missing) + 1):
                    task.result()
                    progress(done, len(jars))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        wanted = {jar.file_name for jar in jars}
        for extra in kept.iterdir():
            if extra.name not in wanted:
                extra.unlink()
        _stamp(folder, jars)


def _fetch_one(jar: Jar, staging: Path, kept: Path, download: Download) -> None:
    name = f"{jar.artifact} {jar.version}"
    for attempt in range(1, TRIES + 1):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            found = download(jar, staging)
            break
        except Exception as error:
            if attempt == TRIES:
                reason = str(error).split("\n", 1)[0][:200] or type(error).__name__
                raise CommandError(
                    f"{name} cannot be fetched ({reason}); check the network and run this again: what has come is kept"
                ) from None
    actual = sha256_of(found)
    if actual != jar.sha256:
        raise CommandError(
            f"{name} is not the file that kafka.lock names (SHA-256 {actual[:16]}..., expected "
            f"{jar.sha256[:16]}...); nothing of it is used; check what stands between you and the repository"
        )
    found.replace(kept / jar.file_name)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex; empty when there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _look(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _stamp(folder: Path, jars: tuple[Jar, ...]) -> None:
    fresh = folder / "verified.json.new"
    fresh.write_text(json.dumps({jar.sha256: _look(folder / "jars" / jar.file_name) for jar in jars}))
    fresh.replace(folder / "verified.json")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One fetch at a time in one cache: the second waits and finds everything there."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def download_with_jgo(jar: Jar, folder: Path) -> Path:
    """Fetch one jar into `folder`."""
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder, local_repos=[], timeout=30)
    path: Path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    return path


def resolve_lock() -> str:
    """The text of a fresh lock for COORDINATES: what `make lock` writes. Asks the repository."""
    import jgo

    found: dict[str, str] = {}
    for coordinates in COORDINATES:
        for item in jgo.resolve(coordinates):
            if item.packaging == "jar":
                assert not item.classifier, f"{item} has a classifier, which the lock cannot say"
                found.setdefault(f"{item.groupId}:{item.artifactId}:{item.version}", sha256_of(item.resolve()))
    lines = [f"{sha256}  {name}" for name, sha256 in sorted(found.items())]
    return "# Apache Kafka and what it needs, by Maven coordinates. Made with `make lock`.\n" + "\n".join(lines) + "\n"
