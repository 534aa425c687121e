"""A broker in memory, as far as the engine can tell: logs with gaps, transactions, epochs, committed readers, compaction."""

import asyncio
import itertools

OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


class Fenced(Exception):
    """A newer producer has the transactional id."""


class Record:
    __slots__ = ("at", "headers", "key", "offset", "timestamp", "txn", "value")

    def __init__(self, key, value, offset, at, txn):
        self.key, self.value, self.offset, self.at, self.txn = key, value, offset, at, txn
        self.timestamp = int(at * 1000)
        self.headers = ()


class Transaction:
    __slots__ = ("logs", "seq", "state")

    def __init__(self):
        self.state, self.seq, self.logs = OPEN, 0, {}


class Log:
    """One partition. An entry is a record, or None: a transaction marker, or compacted away."""

    def __init__(self):
        self.entries = []
        self.everything = []
        """All records ever, also aborted and compacted ones, for the checks."""
        self.open = {}
        """Open transaction -> its first offset here."""
        self.stalled_until = 0.0
        self._waiting = []

    @property
    def end(self):
        """The offset up to which a reader of committed records may read (exclusive)."""
        return min(self.open.values(), default=len(self.entries))

    def read(self, position, most):
        """At most `most` committed records from `position`, and the position after them."""
        found, end, entries = [], self.end, self.entries
        while position < end and most > 0:
            entry = entries[position]
            position += 1
            if entry is not None and ((txn := entry.txn) is None or txn.state is COMMITTED):
                found.append(entry)
                most -= 1
        return found, position

    def committed(self):
        return self.read(0, len(self.entries))[0]

    async def more(self, position):
        while self.end <= position:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def notify(self):
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def compact(self, rng):
        """Drop records that a later one of the same key replaces, except in a tail of random length; tombstones stay."""
        end = self.end - rng.randint(0, 30)
        last = {}
        for entry in self.entries[: max(end, 0)]:
            if entry is not None and (entry.txn is None or entry.txn.state is COMMITTED):
                last[entry.key] = entry.offset
        for offset in range(max(end, 0)):
            entry = self.entries[offset]
            if entry is not None and last.get(entry.key) != offset:
                self.entries[offset] = None


class Broker:
    """All logs. Time of appending is true time, whatever a machine's clock says."""

    def __init__(self, wall):
        self._wall = wall
        self.logs = {}
        self.hints = {}
        """(group, topic, partition) -> committed offset."""
        self._epochs = {}
        self._open = {}
        self._seq = itertools.count(1)

    def log(self, topic, number):
        log = self.logs.get((topic, number))
        if log is None:
            log = self.logs[topic, number] = Log()
        return log

    def append(self, topic, number, key, value, txn=None):
        log = self.log(topic, number)
        record = Record(key, value, len(log.entries), self._wall.true(), txn)
        log.entries.append(record)
        log.everything.append(record)
        if txn is not None:
            log.open.setdefault(txn, record.offset)
            txn.logs[log] = None
        else:
            log.notify()
        return record.offset

    # -- transactions

    def take_over(self, name):
        """A producer starts with the transactional id: former ones are fenced, what they left open is aborted."""
        self._epochs[name] = self._epochs.get(name, 0) + 1
        left = self._open.pop(name, None)
        if left is not None:
            self._end(left, ABORTED)
        return self._epochs[name]

    def begin(self, name, epoch):
        self.check(name, epoch)
        assert name not in self._open, "a producer has one transaction at a time"
        txn = self._open[name] = Transaction()
        return txn

    def check(self, name, epoch):
        if self._epochs[name] != epoch:
            raise Fenced(name)

    def commit(self, name, epoch):
        self.check(name, epoch)
        self._end(self._open.pop(name), COMMITTED)

    def _end(self, txn, state):
        txn.state, txn.seq = state, next(self._seq)
        for log in txn.logs:
            del log.open[txn]
            log.entries.append(None)
            log.notify()

    def all(self, topic):
        """Committed records of a topic as (partition, record), partition by partition, compacted ones too."""
        for (name, number), log in sorted(self.logs.items(), key=lambda item: item[0]):
            if name == topic:
                for record in log.everything:
                    if record.txn is None or record.txn.state is COMMITTED:
                        yield number, record
