"""Providers that hang, swallow messages or refuse our credentials: what it costs their own channel, and that it costs no other."""

import asyncio

from agents.delivery.ears import MOST_LOOKING, Ears
from app import metrics
from app.clock import SYSTEM
from app.model.receipt import Outcome, Spoken
from app.model.trigger import Stage
from app.topics import partition_of
from channels.channel import Ambiguous, Misconfigured, Sent
from channels.circuit import FAILURES
from channels.references import Away
from channels.registry import CHANNELS
from channels.sms.carrier import Said
from tables.step import Partition, Step
from tests.agents.ledger_table import LedgerTable, trigger
from tests.agents.speaking import Mouth, sender
from tests.channels.gateways import GATEWAYS
from tests.channels.hooks import hook
from tests.contracts.providers import OPTIONS

SECRETS = ("whsec_" + "QUJD" * 8,)


def by_sms(number, **changes):
    address = {"sms": f"+7912{number:07d}"}
    return trigger(number, cascade=[Stage("sms", "abandoned_cart")], addresses=address, **changes)


def by_hook(number):
    return trigger(number, cascade=[Stage("webhook", "abandoned_cart")], addresses={"webhook": f"customers:u{number}"})


async def test_a_provider_that_hangs_delays_no_other_channel():
    """All its places are taken by messages that wait; the others are spoken meanwhile."""
    gateway = GATEWAYS["smsc"]
    async with hook(fault="hang_after") as hanging, hook() as fine:
        options = OPTIONS._replace(
            http_timeout=60.0, sms_provider="smsc", sms_api=hanging.url, sms_per_second=0.0, **gateway.settings,
            webhook_hooks=(f"customers={fine.url}/hook",), webhook_secrets=SECRETS,
        )  # fmt: skip
        sms, webhook = CHANNELS["sms"](options), CHANNELS["webhook"](options)
        async with sender(channels={"sms": sms, "webhook": webhook}) as one:
            await one.feed(*(by_sms(number) for number in range(sms.workers + 50)))
            await one.until(lambda: len(hanging.requests) == sms.workers)
            await one.feed(*(by_hook(number) for number in range(1_000, 1_100)), trigger(2_000))
            await one.until(lambda: len(fine.requests) == 100 and one.channel.spoken)
            assert len(hanging.requests) == sms.workers
            hanging.release.set()
            await one.until(lambda: list(one.table.states().values()).count("ambiguous") >= sms.workers)


async def test_a_provider_that_swallows_messages_is_left_alone_and_then_tried_with_one():
    swallowing = Mouth(Ambiguous("no answer"), workers=1)
    swallowing.name, swallowing.usable = "sms", lambda address: ""
    async with sender(channels={"sms": swallowing}) as one:
        await one.feed(*(by_sms(number) for number in range(40)))
        await one.until(lambda: one.delivery._lanes["sms"].held)
        assert len(swallowing.spoken) == FAILURES
        states = list(one.table.states().values())
        assert states.count("ambiguous") == FAILURES and states.count("claimed") == 40 - FAILURES
        assert "left alone" in one.delivery._lanes["sms"].why
        await one.feed(trigger(2_000))
        await one.until(lambda: one.channel.spoken)
        swallowing.answer = Sent("ok")

        async def spoken_of_all():
            while one.delivery.pending:
                await one.advance(1.0)
                await asyncio.sleep(0.001)

        await asyncio.wait_for(spoken_of_all(), 60)
        assert len(swallowing.spoken) == 40 and not one.delivery._lanes["sms"].held


async def test_credentials_that_are_refused_cost_a_few_attempts_and_no_message():
    gateway = GATEWAYS["exolve"]
    answers = {"mode": "wrong_key"}
    async with hook(lambda request: gateway.answers[answers["mode"]]) as server:
        sms = CHANNELS["sms"](
            OPTIONS._replace(sms_provider="exolve", sms_api=server.url, sms_per_second=0.0, **gateway.settings)
        )
        sms.workers = 1
        async with sender(channels={"sms": sms}) as one:
            await one.feed(*(by_sms(number) for number in range(30)))
            await one.until(lambda: one.delivery._lanes["sms"].held)
            assert len(server.requests) == FAILURES and set(one.table.states().values()) == {"claimed"}
            answers["mode"] = "fine"

            async def all_sent():
                while one.delivery.pending:
                    await one.advance(5.0)
                    await asyncio.sleep(0.005)

            await asyncio.wait_for(all_sent(), 60)
            assert set(one.table.states().values()) == {"sent"}


class References:
    """Knows an id from the `after`th question on."""

    def __init__(self, after=1, away=False):
        self.asked, self.after, self.away = [], after, away

    async def find(self, kind, name):
        self.asked.append((kind, name))
        if self.away:
            raise Away
        return "token" if len(self.asked) >= self.after else ""


async def hear(references, said=None, table=None):
    async with sender(table=table) as one:
        ears = Ears(references, lambda token: Spoken("u1", "sms", "ab.0", "abandoned_cart"), one.clock, 4, (0.0, 0.0))
        ears.desks = one.delivery.desks
        done = await ears.hear(said or Said("smpp", Outcome.DELIVERED, "0001", detail="DELIVRD 000"))
        return done, one.table.receipts()


async def test_a_receipt_over_a_providers_connection_goes_to_the_topic():
    references = References(after=2)
    done, (receipt,) = await hear(references)
    assert done and references.asked == [("of", "smpp:0001")] * 2
    assert (receipt.outcome, receipt.customer, receipt.channel, receipt.message_id, receipt.trigger_id) == (
        "delivered", "u1", "sms", "ab.0", "ab",
    )  # fmt: skip


async def test_it_goes_to_the_partition_of_its_customer_whichever_desk_writes_it():
    written = []

    class Desk:
        speaks = True

        async def commit(self, work):
            step = Step(Partition(3))
            work(step)
            written.extend(step.outputs)

    for customer in ("u1", "u2", "u3"):
        ears = Ears(References(), lambda token, customer=customer: Spoken(customer, "sms", "ab.0", ""), SYSTEM, 8, ())
        ears.desks = {3: Desk()}
        assert await ears.hear(Said("smpp", Outcome.DELIVERED, "0001"))
    assert [item.partition for item in written] == [partition_of(customer, 8) for customer in ("u1", "u2", "u3")]
    assert len({item.partition for item in written}) > 1


async def test_a_receipt_of_a_message_that_nobody_knows_is_done_with():
    assert await hear(References(after=9)) == (True, [])
    assert await hear(None) == (True, [])


async def test_only_a_few_receipts_of_unknown_messages_wait_and_known_ones_are_heard_meanwhile(caplog):
    """A stranger's receipts hold nobody up: those beyond the few are done with at the first look."""
    references = References(after=10**6)
    async with sender() as one:
        ears = Ears(references, lambda token: Spoken("u1", "sms", "ab.0", ""), one.clock, 4, (3600.0,))
        ears.desks = one.delivery.desks
        waiting = [asyncio.create_task(ears.hear(Said("smpp", Outcome.DELIVERED, str(n)))) for n in range(MOST_LOOKING)]
        await one.until(lambda: len(references.asked) == MOST_LOOKING)
        flood = metrics.RECEIPT_CALLS.labels("smpp", "unknown_in_a_flood")
        before = flood._value.get()
        for number in range(2):
            assert await asyncio.wait_for(ears.hear(Said("smpp", Outcome.DELIVERED, f"more {number}")), 20)
        assert flood._value.get() - before == 2
        assert caplog.text.count("of messages that nobody knows") == 1
        assert not any(task.done() for task in waiting) and one.table.receipts() == []
        references.after = 0
        assert await asyncio.wait_for(ears.hear(Said("smpp", Outcome.DELIVERED, "known")), 20)
        assert [receipt.customer for receipt in one.table.receipts()] == ["u1"]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        references.after = 10**6
        again = asyncio.create_task(ears.hear(Said("smpp", Outcome.DELIVERED, "later")))
        await one.until(lambda: references.asked[-1] == ("of", "smpp:later"))
        assert not again.done(), "places are free again"
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


async def test_a_receipt_comes_again_while_it_cannot_be_written():
    assert await hear(References(away=True)) == (False, [])
    lost = LedgerTable()
    async with sender(table=lost) as one:
        ears = Ears(References(), lambda token: Spoken("u1", "sms", "ab.0", ""), one.clock, 4, ())
        ears.desks = one.delivery.desks
        lost.ours = False
        assert await ears.hear(Said("smpp", Outcome.DELIVERED, "0001")) is False
        ears.desks = {}
        assert await ears.hear(Said("smpp", Outcome.DELIVERED, "0001")) is False


async def test_what_a_customer_writes_back_is_his_whose_phone_it_is():
    done, (receipt,) = await hear(None, Said("smpp", Outcome.UNSUBSCRIBED, phone="+79123456789"))
    assert done and (receipt.outcome, receipt.customer, receipt.address) == (
        "unsubscribed",
        "phone:+79123456789",
        "+79123456789",
    )


async def test_misconfigured_before_the_grant_costs_no_attempt():
    mouth = Mouth(Misconfigured("mend it"))
    async with sender(mouth) as one:
        await one.feed(trigger(1))
        await one.until(lambda: one.delivery._lanes["email"].held)
        assert list(one.table.states().values()) == ["claimed"] and mouth.spoken == []
