"""The in-memory driver: the same steps as the fenced table, without Kafka. For the core alone, backtests and tests."""

from collections.abc import Callable, Iterator
from typing import Any

from tables.packed import PackedRows
from tables.step import Output, Partition, Step


class MemoryTable:
    """Partitions in a dict; each step's outputs are handed to `publish` in order."""

    def __init__(
        self,
        publish: Callable[[int, Output], None],
        new_rows: Callable[[], PackedRows | None] = lambda: None,
        on_gone: Callable[[int, Any], None] | None = None,
    ) -> None:
        self._on_gone = on_gone
        self._new_rows = new_rows
        self.parts: dict[int, Partition] = {}
        self._publish = publish

    def partition(self, number: int) -> Partition:
        """The partition, made on first use."""
        part = self.parts.get(number)
        if part is None:
            part = self.parts[number] = Partition(number, self._new_rows())
            part.on_gone = self._on_gone
        return part

    def run(self, number: int, work: Callable[[Step], None]) -> Step:
        """Run one step and publish what it sends; returns the step."""
        step = Step(self.partition(number))
        work(step)
        if step.packed is not None:
            for key in step.changed:
                step.packed.pack(key)
        for output in step.outputs:
            self._publish(number, output)
        return step

    def rows(self) -> Iterator[tuple[str, Any]]:
        """All rows of all partitions."""
        for part in self.parts.values():
            yield from part.rows.items()
