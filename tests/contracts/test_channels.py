"""What every channel must hold, over a provider that can do anything. docs/adding-a-channel.md says how a new one joins."""

import asyncio
from typing import get_args

import pytest

from channels.channel import Ambiguous, Answer, Down, Later, Misconfigured, Rejected, Retry, Sent
from channels.registry import CHANNELS
from tests.contracts.providers import MODES, PROVIDERS

ENDINGS = {
    "fine": (Sent,),
    "busy": (Retry,),
    "refuses": (Rejected,),
    "dead_address": (Rejected,),
    "away": (Down,),
    "hangs_before": (Retry, Down),
    "hangs_after": (Ambiguous,),
    "closes_before": (Retry, Down),
    "closes_after": (Ambiguous,),
}
every_channel = pytest.mark.parametrize("name", sorted(PROVIDERS))


class Moment:
    """The irreversible moment: how often it was asked for, and what the provider had by then."""

    def __init__(self, provider, error=None):
        self.provider, self.error = provider, error
        self.asked, self.received_by_then = 0, None

    async def __call__(self):
        self.asked += 1
        self.received_by_then = self.provider.received()
        if self.error:
            raise self.error


def test_every_channel_has_a_provider_to_be_tried_with():
    assert {name.partition(":")[0] for name in PROVIDERS} == set(CHANNELS)


@every_channel
async def test_a_channel_says_its_own_name_and_how_many_it_can_speak_at_once(name):
    async with PROVIDERS[name]("fine") as provider:
        assert provider.channel.name == name.partition(":")[0] and provider.channel.workers >= 1


@every_channel
@pytest.mark.parametrize("mode", MODES)
async def test_every_ending_is_an_answer(name, mode):
    async with PROVIDERS[name](mode) as provider:
        moment = Moment(provider)
        answer = await asyncio.wait_for(provider.channel.send(provider.message, moment), 5)
        assert isinstance(answer, get_args(Answer)) and isinstance(answer, ENDINGS[mode]), answer
        assert moment.asked <= 1
        if provider.received():
            assert moment.asked == 1 and moment.received_by_then == 0
        if isinstance(answer, Sent):
            assert provider.received() == 1
        if isinstance(answer, Retry | Rejected | Down | Misconfigured):
            assert provider.received() == 0
        if isinstance(answer, Ambiguous):
            assert moment.asked == 1
        if mode == "dead_address":
            assert answer.suppress
        if not isinstance(answer, Sent):
            assert answer.reason and "anna" not in answer.reason


@every_channel
async def test_a_withheld_message_stays_unspoken_and_the_next_one_goes_out(name):
    class Held(Exception):
        pass

    async with PROVIDERS[name]("fine") as provider:
        with pytest.raises(Held):
            await provider.channel.send(provider.message, Moment(provider, Held()))
        assert provider.received() == 0
        assert isinstance(await provider.channel.send(provider.message, Moment(provider)), Sent)
        assert provider.received() == 1


@every_channel
async def test_an_address_that_cannot_be_used_is_told_apart_and_refused(name):
    async with PROVIDERS[name]("fine") as provider:
        assert provider.channel.usable(provider.message.address) == ""
        for address in provider.bad_addresses:
            assert provider.channel.usable(address)
            moment = Moment(provider)
            answer = await provider.channel.send(provider.message._replace(address=address), moment)
            assert isinstance(answer, Rejected) and not moment.asked
        assert provider.received() == 0


@every_channel
async def test_the_price_is_known_before_anything_is_sent(name):
    async with PROVIDERS[name]("away") as provider:
        assert provider.channel.units(provider.message) >= 1


@every_channel
async def test_a_cancelled_send_leaves_the_channel_usable(name):
    async with PROVIDERS[name]("fine") as provider:
        waiting = asyncio.Event()

        async def never():
            waiting.set()
            await asyncio.Event().wait()

        for _ in range(provider.channel.workers + 1):
            waiting.clear()
            task = asyncio.create_task(provider.channel.send(provider.message, never))
            await asyncio.wait_for(waiting.wait(), 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert provider.received() == 0
        assert isinstance(await asyncio.wait_for(provider.channel.send(provider.message, Moment(provider)), 5), Sent)


@every_channel
async def test_many_at_once_are_all_answered(name):
    async with PROVIDERS[name]("fine") as provider:
        messages = [provider.message._replace(message_id=f"{n}.0") for n in range(30)]

        async def answered(message):
            """As the lane: what is not its turn comes again."""
            while isinstance(answer := await provider.channel.send(message, Moment(provider)), Later):
                await asyncio.sleep(0)
            return answer

        answers = await asyncio.gather(*(answered(message) for message in messages))
        assert all(isinstance(answer, Sent) for answer in answers) and provider.received() == 30


@every_channel
async def test_stopping_is_quick_and_starting_does_not_need_the_provider(name):
    async with PROVIDERS[name]("away") as provider:
        await asyncio.wait_for(provider.channel.stop(), 2)
        await provider.channel.start()
