"""The sender with its real e-mail channel, over real SMTP servers that misbehave."""

import asyncio
import gc
import tracemalloc

import pytest

from app.clock import SYSTEM
from app.model.reasons import Reason
from app.model.trigger import Stage
from channels.email import Email
from tests.agents.ledger_table import LedgerTable, trigger
from tests.agents.speaking import Mouth, sender
from tests.channels.relays import relay


def email(server, timeout=0.5, connections=4):
    return Email(
        smtp=f"smtp+plain://127.0.0.1:{server.port}",
        connections=connections,
        timeout=timeout,
        sender="Shop <shop@shop.example>",
        monotonic=SYSTEM.monotonic,
    )


def triggers(count, start=1):
    return [trigger(n, now=SYSTEM.now(), email=f"u{n}@shop.example") for n in range(start, start + count)]


async def test_each_trigger_is_one_mail():
    async with relay() as server, sender(email(server), LedgerTable(delay=0.001), clock=SYSTEM) as one:
        await one.feed(*triggers(40))
        await one.settled(20)
        assert sorted(to[0] for _, to, _ in server.mails) == sorted(f"u{n}@shop.example" for n in range(1, 41))
        assert server.connections <= 4 and one.table.reasons() == [Reason.SENT] * 40


FAULTS = [
    (phase, fault)
    for phase in ("connect", "ehlo", "mail", "rcpt", "data", "dot")
    for fault in ("close", "hang", "421 4.3.2 closing", "451 4.3.0 later")
]


@pytest.mark.parametrize(("phase", "fault"), [*FAULTS, ("after", "close"), ("after", "hang")])
async def test_a_fault_at_any_phase_loses_nothing_and_doubles_nothing(phase, fault, monkeypatch):
    monkeypatch.setattr("channels.retry.BASE", 0.05)
    monkeypatch.setattr("channels.retry.wait.__defaults__", (None, 0.05, 0.2))
    monkeypatch.setattr("agents.delivery.lane.BASE", 0.05)
    async with (
        relay({phase: fault}, once=True) as server,
        sender(email(server, timeout=0.3, connections=2), clock=SYSTEM) as one,
    ):
        await one.feed(*triggers(6))
        await one.settled(20)
        taken = sorted(to[0] for _, to, _ in server.mails)
        assert len(taken) == len(set(taken))
        states = one.table.states()
        ambiguous = [
            f"u{int(key.split('.')[0], 16)}@shop.example" for key, state in states.items() if state == "ambiguous"
        ]
        assert len(ambiguous) == (phase in ("dot", "after") and fault in ("close", "hang"))
        sent = [f"u{int(key.split('.')[0], 16)}@shop.example" for key, state in states.items() if state == "sent"]
        assert len(sent) + len(ambiguous) == 6 and set(sent) <= set(taken) <= set(sent) | set(ambiguous)


async def test_a_relay_that_refuses_one_address_serves_the_others():
    async with (
        relay({"rcpt": "550 5.1.1 unknown"}, once=True) as server,
        sender(email(server, connections=1), clock=SYSTEM) as one,
    ):
        await one.feed(*triggers(5))
        await one.settled(20)
        assert sorted(one.table.states().values()) == ["failed"] + ["sent"] * 4


async def test_a_hung_relay_costs_little_memory_and_another_channel_goes_on():
    other = Mouth()
    other.name = "sms"
    async with (
        relay({"connect": "hang"}) as server,
        sender(email(server, timeout=0.2), clock=SYSTEM, channels={"sms": other}) as one,
    ):
        await one.feed(*triggers(50))
        gc.collect()
        tracemalloc.start()
        for start in range(1000, 6000, 1000):
            await one.feed(*triggers(1000, start))
            await asyncio.sleep(0.05)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown / 5000 < 3000  # bytes a waiting message, its row and payload included
        await one.feed(
            trigger(9000, now=SYSTEM.now(), addresses={"sms": "1@"}, cascade=[Stage("sms", "abandoned_cart")])
        )
        await one.until(lambda: one.delivery.pending == 5050)
        assert len(other.spoken) == 1 and server.connections <= 40 and not server.mails
