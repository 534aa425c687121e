"""What is on its way into Kafka, and who waits for it."""

import asyncio

import msgspec


class Ticket:
    """What one request waits for. `done` resolves to True when all its records are acknowledged, to False when one cannot be."""

    __slots__ = ("done", "duplicates", "open")

    def __init__(self, records: int, loop: asyncio.AbstractEventLoop) -> None:
        self.open = records
        self.duplicates = 0
        self.done: asyncio.Future[bool] = loop.create_future()
        if not records:
            self.done.set_result(True)

    def settle(self, records: int = 1) -> None:
        """So many records are acknowledged, or known from before."""
        self.open -= records
        if self.open <= 0 and not self.done.done():
            self.done.set_result(True)

    def fail(self) -> None:
        """One record cannot be acknowledged now."""
        if not self.done.done():
            self.done.set_result(False)


class Record(msgspec.Struct, eq=False, gc=False):
    """One record on its way. `id` recognises a repeated one (empty: never looked at).

    `tickets` wait for it: one list for all records of a request, to be replaced and never added to.
    """

    topic: str
    partition: int
    key: bytes
    value: bytes
    id: bytes = b""
    tickets: list[Ticket] = []
    size: int = 0
    """Bytes that it counts for while it waits."""

    def fail(self) -> None:
        """Tell all who wait that it is not, and forget them."""
        for ticket in self.tickets:
            ticket.fail()
        self.tickets = []


def settle(records: list[Record]) -> None:
    """Tell all who wait for these records that they are acknowledged: once for as many of a request as follow each other."""
    waiting: list[Ticket] = []
    number = 0
    for record in records:
        if record.tickets is waiting:
            number += 1
            continue
        for ticket in waiting:
            ticket.settle(number)
        waiting, number = record.tickets, 1
    for ticket in waiting:
        ticket.settle(number)
