"""Turns: the pace of a chat, digests of bursts, and that every message gets its own moment and its own answer."""

import asyncio

import pytest

from channels import pace as module
from channels.channel import Ambiguous, Later, Rejected, Retry, Sent
from channels.pace import Pace, Pacing
from tests.channels.alerts import rendered, update


class Provider:
    def __init__(self, answer=None):
        self.answer, self.requests, self.gate = answer or Sent("1"), [], None

    async def __call__(self, chat, messages, irreversible):
        await irreversible()
        self.requests.append((chat, [message.message_id for message in messages]))
        if self.gate is not None:
            await self.gate.wait()
        return self.answer


async def granted():
    pass


async def patient(turns, clock, message, chat="a"):
    """As the lane: come again at the time that was named."""
    while isinstance(answer := await turns.speak(chat, message, granted), Later):
        assert answer.after > 0
        for _ in range(20):
            await clock.rest()
    return answer


def pacing(provider, clock, every=1.0, **more):
    return Pacing(lambda _: Pace(every, **more), provider, lambda: clock.now)


@pytest.fixture
def time(monkeypatch):
    real = asyncio.sleep

    class Clock:
        now, slept = 1000.0, []

    async def sleep(seconds):
        Clock.slept.append(round(seconds, 6))
        Clock.now += seconds
        await real(0)

    Clock.rest = staticmethod(lambda: real(0))
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return Clock


async def test_messages_to_one_chat_keep_its_pace_and_those_to_another_do_not_wait(time):
    provider = Provider()
    turns = pacing(provider, time)
    for number in range(3):
        assert await turns.speak("a", rendered(number=number), granted) == Sent("1")
    assert time.slept == [1.0, 1.0]
    await turns.speak("b", rendered(), granted)
    assert time.slept == [1.0, 1.0] and len(provider.requests) == 4


async def test_up_to_ten_a_minute_go_out_one_by_one_and_what_waits_beyond_that_together(time):
    provider = Provider()
    turns = pacing(provider, time)
    answers = await asyncio.gather(*(patient(turns, time, rendered(number=number)) for number in range(40)))
    assert answers == [Sent("1")] * 40
    assert [len(ids) for _, ids in provider.requests] == [1, 30, 9]
    assert sorted(id_ for _, ids in provider.requests for id_ in ids) == sorted(
        f"ab{number:02}.0" for number in range(40)
    )


async def test_ten_at_once_are_not_bundled_and_after_a_minute_it_begins_anew(time):
    provider = Provider()
    turns = pacing(provider, time)
    for _ in range(2):
        await asyncio.gather(*(turns.speak("a", rendered(number=number), granted) for number in range(10)))
        time.now += 61
    assert [len(ids) for _, ids in provider.requests] == [1] * 20


async def test_a_change_is_never_bundled(time):
    provider = Provider()
    turns = pacing(provider, time)
    changes = [rendered(number=number, change=update(), ref="1:2") for number in range(15)]
    await asyncio.gather(*(patient(turns, time, change) for change in changes))
    assert [len(ids) for _, ids in provider.requests] == [1] * 15


async def test_every_message_of_a_digest_has_its_own_moment_and_what_is_withheld_stays_unspoken(time):
    class Held(Exception):
        pass

    asked = []

    def moment(number):
        async def ask():
            asked.append(number)
            if number % 3 == 0:
                raise Held

        return ask

    provider = Provider()
    turns = pacing(provider, time)
    answers = await asyncio.gather(
        *(turns.speak("a", rendered(number=number), moment(number)) for number in range(20)), return_exceptions=True
    )
    assert sorted(asked) == list(range(20)), "each exactly once"
    assert [isinstance(answer, Held) for answer in answers] == [number % 3 == 0 for number in range(20)]
    said = [id_ for _, ids in provider.requests for id_ in ids]
    assert sorted(said) == [f"ab{number:02}.0" for number in range(20) if number % 3]


async def test_a_chat_that_is_asked_to_wait_long_gives_the_others_back_to_the_ledger(time):
    provider = Provider(Retry(300.0, "429"))
    turns = pacing(provider, time)
    assert await turns.speak("a", rendered(), granted) == Retry(300.0, "429")
    asked = []

    async def moment():
        asked.append(1)

    answer = await turns.speak("a", rendered(number=1), moment)
    assert isinstance(answer, Later) and 300.0 <= answer.after < 302.0 and not asked and len(provider.requests) == 1


async def test_a_refusal_is_everybodys_answer_in_a_digest(time):
    turns = pacing(Provider(Rejected("400", suppress=False)), time, many=0)
    answers = await asyncio.gather(*(turns.speak("a", rendered(number=number), granted) for number in range(5)))
    assert answers == [Rejected("400", suppress=False)] * 5


async def test_who_is_stopped_while_he_speaks_for_all_leaves_nobody_waiting(time):
    provider = Provider()
    provider.gate = asyncio.Event()
    turns = pacing(provider, time, many=0)
    first = asyncio.create_task(turns.speak("a", rendered(number=9), granted))
    while not provider.requests:
        await asyncio.sleep(0)
    tasks = [asyncio.create_task(turns.speak("a", rendered(number=number), granted)) for number in range(4)]
    await asyncio.sleep(0)
    gate, provider.gate = provider.gate, asyncio.Event()
    gate.set()
    while len(provider.requests) < 2:
        await asyncio.sleep(0)
    tasks[0].cancel()
    provider.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert await first == Sent("1")
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [type(answer) for answer in answers[1:]] == [Ambiguous] * 3, "they were in that request, and nobody knows"
    assert await turns.speak("a", rendered(number=9), granted) == Sent("1")


async def test_the_number_of_remembered_chats_is_bounded(time, monkeypatch):
    monkeypatch.setattr(module, "MOST_CHATS", 5)
    turns = pacing(Provider(), time)
    for number in range(20):
        await turns.speak(f"chat{number}", rendered(), granted)
    assert len(turns._chats) == 5


async def test_of_a_busy_chat_only_the_next_few_hold_a_place_and_the_rest_come_again_one_after_the_other(time):
    provider = Provider()
    provider.gate = asyncio.Event()
    turns = pacing(provider, time, every=3.0)
    changes = [rendered(number=number, change=update(), ref="1:2") for number in range(60)]
    tasks = [asyncio.create_task(turns.speak("a", change, granted)) for change in changes]
    for _ in range(20):
        await time.rest()
    later = [task.result().after for task in tasks if task.done()]
    assert len(tasks) - len(later) == module.MOST_WAITING + 1, "one is being said"
    assert later[0] == 3.0 * module.MOST_WAITING and later[1] == later[0] + 3.0
    assert later == sorted(later) and later[-1] == module.MINUTE
    provider.gate.set()
    assert [type(answer) for answer in await asyncio.gather(*tasks)].count(Sent) == module.MOST_WAITING + 1


async def test_changes_do_not_count_towards_a_digest(time):
    provider = Provider()
    turns = pacing(provider, time)
    for number in range(12):
        await turns.speak("a", rendered(number=number, change=update(), ref="1:2"), granted)
    await asyncio.gather(*(turns.speak("a", rendered(number=number), granted) for number in range(3)))
    assert [len(ids) for _, ids in provider.requests] == [1] * 15
