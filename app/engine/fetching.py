"""The thread that owns the Kafka consumer: how records are fetched for bundles.

Five things differ from Faust's own: the consumer's options (security, committed records only, a short long-poll: a
broker answers one fetch at a time, so a long wait for idle partitions would hold up busy ones), offsets asked for over
connections of their own, records as they were parsed
(`parsed.py`), the positions that come with them, and that partitions which nobody reads now are paused in the client too, not
only skipped afterwards.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.offset import OffsetRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from app.engine.parsed import as_parsed

MAX_FETCH = 12_000
"""Records taken from the client at once."""
PARTITION_BYTES = 2 << 20
"""Bytes that one fetch brings of a partition at the most, a single larger record aside: so far a bundle can grow."""
FETCH_WAIT_MS = 50
"""How long a broker may wait for records that are not there yet."""
ASKING = 2
"""Group of the connections that offsets are asked for on; aiokafka's own groups are 0 and 1."""


def ask_apart(client: Any) -> None:
    """Have a client ask for offsets over connections of their own.

    A broker answers a connection's requests one after the other, so on the one that fetches they wait for the fetch that waits there
    for records: 18 ms instead of 2 while events come in, and every trigger waits for them.
    """
    send = client.send

    async def apart(node_id: int, request: Any, *, group: int = ConnectionGroup.DEFAULT) -> Any:
        return await send(node_id, request, group=ASKING if isinstance(request, OffsetRequest) else group)

    client.send = apart


class Rows(list[Any]):
    """Records of one partition from one fetch, and the consumer's position before and after it."""

    def __init__(self, records: Iterable[Any], start: int, end: int) -> None:
        super().__init__(records)
        self.start = start
        self.end = end


class FetchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with our consumer in it."""

    _wanted: tuple[Any, frozenset[TP]] = (None, frozenset())

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002 -- Faust's signature
        app, conf = self.app, self.app.conf
        self._assignor = app.assignor
        consumer = aiokafka.AIOKafkaConsumer(
            **app.kafka_options,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[app.assignor],
            key_deserializer=as_parsed,
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            isolation_level="read_committed",
            max_poll_records=MAX_FETCH,
            max_partition_fetch_bytes=PARTITION_BYTES,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
        )
        ask_apart(consumer._client)  # noqa: SLF001 -- there is no other way to its connections
        return consumer

    def _pause_others(self, consumer: Any, assignment: Any, active: frozenset[TP]) -> None:
        """Have the client fetch the `active` partitions only. Runs in the thread, and only when something changed."""
        if self._wanted[0] is assignment and self._wanted[1] == active:
            return
        self._wanted = (assignment, active)
        paused = consumer.paused()
        for tp in assignment.tps:
            if tp in active and tp in paused:
                consumer.resume(tp)
            elif tp not in active and tp not in paused:
                consumer.pause(tp)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: frozenset[TP],
        timeout: float | None = None,  # noqa: ASYNC109 -- Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, Rows]:
        """Fetch; every partition whose position moved is in the answer, with or without records."""
        subscription = consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription.assignment if subscription else None
        if assignment is None or not active_partitions:
            return {}
        self._pause_others(consumer, assignment, active_partitions)
        before = _positions(assignment, active_partitions)
        fetched = await super()._fetch_records(consumer, active_partitions, timeout=timeout, max_records=max_records)
        current = consumer._subscription.subscription  # noqa: SLF001
        if current is None or current.assignment is not assignment:
            return {}  # a rebalance: positions are set anew, and everything is read again from there
        rows = {}
        for tp, end in _positions(assignment, active_partitions).items():
            records = fetched.get(tp) or ()
            start = before.get(tp, records[0].offset if records else end)
            if records or end != start:
                rows[TP(tp.topic, tp.partition)] = Rows(records, start, end)
        return rows

    async def end_offsets(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        """Ends of partitions for a reader of committed records, asked now. Does not queue behind a fetch."""
        call = self._ensure_consumer().end_offsets(partitions)
        ends = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.thread_loop))
        return {TP(tp.topic, tp.partition): end for tp, end in ends.items()}

    async def answers(self, patience: float) -> bool:
        """Whether this thread's loop answers within `patience` seconds."""
        answer = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.thread_loop)
        try:
            async with asyncio.timeout(patience):
                await asyncio.wrap_future(answer)
        except TimeoutError:
            return False
        return True

    async def committed(self, partitions: Collection[TP]) -> dict[TP, int | None]:
        """Offsets that the group has committed."""
        consumer = self._ensure_consumer()
        return {tp: await self.call_thread(consumer.committed, tp) for tp in partitions}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own look for stuck partitions does not know bundles; `app/engine/watch.py` does that."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """See `verify_event_path`."""


def _positions(assignment: Any, partitions: Iterable[TP]) -> dict[TP, int]:
    states = {tp: assignment.state_value(tp) for tp in partitions}
    return {tp: state.position for tp, state in states.items() if state is not None and state.has_valid_position}
