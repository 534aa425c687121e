"""Reads an audience from the changelog of the customers' state: a partition after the other, no more of it in memory than its lines."""

from collections.abc import AsyncIterator, Callable

from agents.audiences import Destination, Group, Who, is_told, row_of
from app.engine.reading import Progress, reader, records
from app.settings import Settings
from app.topics import CUSTOMERS_CHANGELOG
from tables.changelog import FENCE_KEY, Codec
from tables.customer import Customer, Row


async def lines_of(
    settings: Settings,
    group: Group,
    who: Who,
    destination: Destination,
    progress: Callable[[int, int, int], None],
) -> AsyncIterator[str]:
    """The lines of a group's customers, each once. `progress` hears of the partition, of records read and of all. Raises CommandError.

    The last record of a key is the truth, so a partition's lines are known when it has been read.
    """
    decode = Codec(Row).read_row
    seen: set[str] = set()
    async with reader(settings) as consumer:
        for number in range(settings.partitions):
            found: dict[bytes, str] = {}
            changelog = settings.topic_prefix + CUSTOMERS_CHANGELOG.name
            async for record in records(consumer, changelog, [number], _of(progress, number)):
                if record.key == FENCE_KEY:
                    continue
                row = decode(record.value) if record.value is not None else None
                line = row_of(destination, row) if isinstance(row, Customer) and is_told(row, group, who) else ""
                if line:
                    found[record.key] = line
                else:
                    found.pop(record.key, None)
            for line in found.values():
                if line not in seen:
                    seen.add(line)
                    yield line


def _of(progress: Callable[[int, int, int], None], number: int) -> Progress:
    return lambda done, total: progress(number, done, total)
