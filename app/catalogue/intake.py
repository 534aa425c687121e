"""One import from its first byte to its last: read the whole feed, compare, doubt, then apply all of it at once."""

import asyncio
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from app import metrics
from app.catalogue.diff import Delta, Tally, delta, offered
from app.catalogue.feed import Feed
from app.catalogue.heard import heard
from app.catalogue.plausible import Doubt, Limits, doubts
from app.catalogue.refusal import Fault, FeedRefusedError
from app.catalogue.source import Source
from app.catalogue.spool import Spool
from app.catalogue.store import CatalogueWriter, Told, known
from app.catalogue.values import LONGEST_ID
from app.clock import Clock
from app.codec import decode_import
from app.engine.provision import provision
from app.model.catalogue import IMPORT_KEY, Import, Offer
from app.settings import Settings
from app.topics import CATALOGUE, CATALOGUE_CHANGES

SHOWN = 20
"""Bad offers that are told."""
BREATH = 1_000
"""Products after which others of the process get their turn."""

Progress = Callable[[str, int, int], None]
"""What is done, how much of it, and of how much (0: unknown)."""


class Options(NamedTuple):
    """How an import is made. `form` and `encoding`: "" to find out. `force`: in spite of doubts. `dry_run`: only compare."""

    form: str = ""
    encoding: str = ""
    limits: Limits = Limits()
    force: bool = False
    dry_run: bool = False


class Outcome(NamedTuple):
    """What an import came to. `faults` are the first of the bad offers; `doubts` those that were overruled; `rows`: rows written."""

    done: Import
    faults: list[Fault]
    doubts: dict[Doubt, str]
    rows: int


class ImplausibleError(FeedRefusedError):
    """The feed could be read, and cannot be true."""

    def __init__(self, told: dict[Doubt, str], faults: list[Fault]) -> None:
        super().__init__(
            f"{'; '.join(told.values())}: nothing was applied; mend the feed, or say --force if it is true"
        )
        self.faults = faults


class Intake:
    """Imports feeds into one installation's catalogue. `fault`: tests; see CatalogueWriter."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        progress: Progress = lambda _what, _done, _all: None,
        fault: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings, self._clock, self._progress, self._fault = settings, clock, progress, fault

    async def take(self, source: Source, options: Options) -> Outcome:
        """One import. Raises FeedRefusedError when the feed is refused, CommandError when something else fails; nothing is applied then."""
        began, at = self._clock.monotonic(), self._clock.now()
        with Spool(self._settings.data) as spool:
            faults, bad = await self._read(source, options, spool, at)
            if options.dry_run:
                await provision(self._settings, (CATALOGUE, CATALOGUE_CHANGES))
                outcome, _, _ = await self._compare(spool, source, options, at, (faults, bad))
                return outcome
            asked = heard(self._settings)
            async with CatalogueWriter(self._settings, self._fault, asked.changes) as writer:
                outcome, tally, was_told = await self._compare(spool, source, options, at, (faults, bad))
                told = None
                if asked.offers:
                    outcome = outcome._replace(done=msgspec.structs.replace(outcome.done, told=True))
                    told = Told(_offered(spool, at, anew=not was_told), anew=not was_told)
                await writer.write(outcome.done, self._deltas(spool, at, tally.rows), told)
        _measure(outcome.done, self._clock.monotonic() - began)
        return outcome

    async def _read(self, source: Source, options: Options, spool: Spool, at: float) -> tuple[list[Fault], int]:
        """The whole feed into the spool; the first bad offers, and how many there are."""
        feed = Feed(at, options.form, options.encoding)
        faults, bad = list[Fault](), 0

        def put(found: Iterator[Offer | Fault]) -> None:
            nonlocal bad
            for item in found:
                fault = item if isinstance(item, Fault) else None
                if isinstance(item, Offer) and not spool.offer(item):
                    fault = Fault(feed.line, feed.offers, item.id, "its id has come before")
                elif isinstance(item, Fault) and 0 < len(item.id) <= LONGEST_ID and item.id.isprintable():
                    spool.unreadable(item.id)
                if fault is not None:
                    bad += 1
                    faults.extend([fault] if bad <= SHOWN else [])

        def take(piece: bytes, size: int) -> None:
            put(feed.feed(piece))
            self._progress("reading the feed, bytes", feed.taken, size)

        await source.read(take)
        put(feed.end())
        return faults, bad

    async def _compare(
        self, spool: Spool, source: Source, options: Options, at: float, told: tuple[list[Fault], int]
    ) -> tuple[Outcome, Tally, bool]:
        """What the import comes to, and whether the engine was told of all before that cannot be had, or is reduced."""
        faults, bad = told
        before: Import | None = None
        async for key, value in known(
            self._settings, lambda done, total: self._progress("reading what is known, rows", done, total)
        ):
            if key != IMPORT_KEY:
                spool.former(key, value)
            elif value is not None:
                before = decode_import(value)
        tally = Tally()
        for number, pair in enumerate(spool.pairs()):
            tally.count(pair, delta(pair, at))
            if not number % BREATH:
                await asyncio.sleep(0)
        found = doubts(tally, bad, options.limits)
        if found and not options.force and not options.dry_run:
            raise ImplausibleError(found, faults)
        name = blake2b(f"{before.id if before else ''}\0{at!r}".encode(), digest_size=8).hexdigest()
        done = Import(
            name, at, source.name, tally.offers, tally.available, bad, dict(tally.changes), baseline=before is None
        )
        return Outcome(done, faults, found, tally.rows), tally, before is not None and before.told

    def _deltas(self, spool: Spool, at: float, rows: int) -> Iterator[Delta]:
        written = 0
        for pair in spool.pairs():
            found = delta(pair, at)
            if found is not None:
                written += 1
                self._progress("writing rows", written, rows)
                yield found


def _offered(spool: Spool, at: float, *, anew: bool) -> Iterator[tuple[str, float, float]]:
    for pair in spool.pairs():
        told = offered(pair, delta(pair, at), anew=anew)
        if told is not None:
            yield told


def _measure(done: Import, seconds: float) -> None:
    metrics.CATALOGUE_LAST_SUCCESS.labels(done.source).set(done.at)
    metrics.CATALOGUE_OFFERS.labels(done.source, "available").set(done.available)
    metrics.CATALOGUE_OFFERS.labels(done.source, "unavailable").set(done.offers - done.available)
    metrics.CATALOGUE_OFFERS.labels(done.source, "bad").set(done.bad)
    metrics.CATALOGUE_SECONDS.observe(seconds)
    if not done.baseline:
        for kind, count in done.changes.items():
            metrics.CATALOGUE_CHANGES.labels(kind).inc(count)
