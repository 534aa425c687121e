"""Where rows and records belong when the number of partitions grows. Pure.

The new number is a multiple of the old one. Then a customer of partition `p` stays in `p` or goes to one of the new
partitions `p + old`, `p + 2 * old` ...: no old partition gets anything from another, and a new one has a single source.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from app.errors import CommandError, UsageError
from app.topics import (
    CATALOGUE,
    CUSTOMERS_CHANGELOG,
    CUSTOMERS_INPUTS,
    DEAD_LETTERS,
    DIALOGS,
    LEDGER_CHANGELOG,
    LEDGER_INPUTS,
    partition_of,
)
from channels import ledger
from tables.changelog import FENCE_KEY, Codec
from tables.customer import SHELF_PREFIX

MOST_PARTITIONS = 512
SEAL = DEAD_LETTERS
"""The topic that gets its new partitions last. Until then the numbers differ, and no process of ours starts."""

Owner = Callable[[bytes, bytes], str | None]
"""The key whose partition a row lies in, mostly the customer's, from the row's key and value; None: it belongs to the partition as such."""


class Table(NamedTuple):
    """A fenced table: its changelog, the group that owns it, what it reads and whose its rows are."""

    name: str
    group: str
    changelog: str
    inputs: tuple[str, ...]
    owner: Owner


class Split(NamedTuple):
    """What becomes of the rows of one partition: new partition -> its rows, keys that leave, and how many stay."""

    moved: dict[int, list[tuple[bytes, bytes | None]]]
    gone: list[bytes]
    kept: int


def _customers_owner(key: bytes, _value: bytes) -> str | None:
    """Rows lie under the customer's key; keys that begin with NUL are the partition's (shelves)."""
    return None if key.startswith(SHELF_PREFIX[0].encode()) else key.decode()


_ledger_row = Codec(ledger.Row).decode_row


def _ledger_owner(_key: bytes, value: bytes) -> str | None:
    """A message knows its customer. Cancellations and addresses are known by digest only: every new partition needs them."""
    row: Any = _ledger_row(value)
    return row.customer if isinstance(row, ledger.Message) else None


def _dialog_owner(key: bytes, _value: bytes) -> str | None:
    """The board's rows lie where the dialog's own key says, so that they stay there when it becomes known who the client is."""
    return key.decode()


def _product_owner(key: bytes, _value: bytes) -> str | None:
    """Rows of the catalogue lie under the product's id, the one of the last import under its own key."""
    return key.decode()


TABLES = (
    Table("customers", "boomerang-engine", CUSTOMERS_CHANGELOG.name, CUSTOMERS_INPUTS, _customers_owner),
    Table("ledger", "boomerang-delivery", LEDGER_CHANGELOG.name, LEDGER_INPUTS, _ledger_owner),
    Table("dialogs", "boomerang-engine", DIALOGS.name, (), _dialog_owner),
    Table("catalogue", "boomerang-engine", CATALOGUE.name, (), _product_owner),
)
"""All of them, with the board's rows, which the behaviour agent writes beside its table, and the catalogue's, which nobody holds; a test compares this with the apps."""


def check_counts(counts: Mapping[str, int], new: int) -> int:
    """The old number of partitions, from the `counts` of all topics (without prefix); `new` again when all have it already.

    Raises UsageError when `new` cannot be reached from there, CommandError when a repartition to another number was begun.
    """
    old = counts[SEAL.name]
    begun = {count for count in counts.values() if count != old}
    if begun and begun != {new}:
        found = ", ".join(map(str, sorted(begun)))
        raise CommandError(
            f"a repartition to {found} was begun and not finished; run it again with --partitions {found}"
        )
    if new < old:
        raise UsageError(f"there are {old} partitions, and Kafka cannot take any away")
    if new % old or new > MOST_PARTITIONS:
        choices = [str(old * factor) for factor in (2, 3, 4) if old * factor <= MOST_PARTITIONS]
        raise UsageError(
            f"{new} is not a multiple of {old} up to {MOST_PARTITIONS}, which keeps every move inside one partition's "
            f"transaction; choose {', '.join(choices) or old}"
        )
    return old


def heirs(number: int, old: int, new: int) -> range:
    """The new partitions that get what leaves partition `number`."""
    return range(number + old, new, old)


def split(rows: Mapping[bytes, bytes], owner: Owner, number: int, old: int, new: int) -> Split:
    """Decide over the rows (and the fence, which stays) of one partition's changelog."""
    moved: dict[int, list[tuple[bytes, bytes | None]]] = {heir: [] for heir in heirs(number, old, new)}
    gone: list[bytes] = []
    kept = 0
    for key, value in rows.items():
        if key == FENCE_KEY:
            continue
        customer = owner(key, value)
        if customer is None:
            kept += 1
            for inherited in moved.values():
                inherited.append((key, value))
            continue
        home = partition_of(customer, new)
        if home in moved:
            moved[home].append((key, value))
            gone.append(key)
        else:
            kept += 1
    return Split(moved, gone, kept)


def home_of(key: bytes | None, number: int, new: int) -> int:
    """Where an input's record belongs; one without a usable key stays where it is."""
    try:
        return partition_of(key.decode(), new) if key else number
    except UnicodeDecodeError:
        return number


def by_home(
    records: Iterable[tuple[bytes | None, bytes | None]], number: int, new: int
) -> Iterator[tuple[int, list[tuple[Any, bytes | None]]]]:
    """Unread records of one partition, in their order, by the partition they belong to."""
    homes: dict[int, list[tuple[Any, bytes | None]]] = {}
    for key, value in records:
        homes.setdefault(home_of(key, number, new), []).append((key, value))
    yield from homes.items()
