"""The relay hangs for a minute: nothing is lost, nothing piles up, and what goes over another channel goes on."""

from collections import Counter
from pathlib import Path

from app.clock import SYSTEM
from tests.chaos.kills import MOVE
from tests.chaos.shop import Customer
from tests.chaos.verdict import check
from tests.servers import eventually

MOST_GROWN = 32 << 20
"""Bytes by which the sender may grow while it waits: it holds no more than before, but tries now and then."""
TEMPLATE = "  - channel: email\n"


class Caller(Customer):
    """One whose message goes to a telephone."""

    def traits(self):
        number = int("".join(filter(str.isdigit, self.name)))
        return {**super().traits(), "phone": f"+49151{number:08d}", "consent": {"email": True, "sms": True}}


def scenarios(built_in, folder):
    """The built-in scenarios, with the viewed products told by telephone."""
    folder.mkdir()
    for path in built_in.glob("*.yaml"):
        text = path.read_text()
        if path.stem == "abandoned_product":
            assert TEMPLATE in text
            text = text.replace(TEMPLATE, TEMPLATE.replace("email", "sms"))
        (folder / path.name).write_text(text)
    return folder


async def hung(ground, *, wave, silent):
    """A relay that hangs for `silent` seconds in the middle of `wave` mails, while as many messages go to telephones."""
    notes = ground.settings.data / "notes"
    notes.touch()
    worker, sender = ground.keep("worker"), ground.keep("delivery", CHAOS_NOTES=str(notes))
    await worker.ready()
    await sender.ready()
    mails = [Customer(f"m{number}", "leaver") for number in range(wave)]
    await ground.shop.visit(mails)
    ground.clock.advance(MOVE)
    await eventually(lambda: ground.sink.total >= wave // 10, 120, "the mails have begun")
    ground.sink.hang()
    began, taken = SYSTEM.monotonic(), ground.sink.total
    callers = [Caller(f"s{number}", "viewer") for number in range(wave)]
    await ground.shop.visit(callers)
    ground.clock.advance(MOVE)
    await eventually(lambda: len(_noted(notes)) == wave, 180, "the other channel goes on")
    assert ground.sink.total == taken
    ground.say(f"{wave} went over the other channel while {wave - taken} mails wait")
    await eventually(lambda: sender.metric('boomerang_channel_down{channel="email"}'), 120, "it is known to be away")
    before = await _held(sender)
    await eventually(lambda: SYSTEM.monotonic() - began >= silent, silent + 60, "the relay has hung long enough")
    after = await _held(sender)
    assert after - before < MOST_GROWN, f"{before >> 20} MiB before, {after >> 20} MiB after"
    waiting = await sender.metric("boomerang_outbox_pending")
    assert waiting > 0
    ground.sink.resume()
    people = [*mails, *callers]
    await ground.settled(len(people), 180)
    assert not sender.ends and not worker.ends
    # the messages that were being spoken when the relay fell silent: one for each connection
    counted = await check(
        ground, people, kills_of_sender=1, until=ground.clock.now(), elsewhere=_noted(notes).elements()
    )
    return {
        "silent_s": silent,
        "waiting": int(waiting),
        "mib_before": before >> 20,
        "mib_after": after >> 20,
        **counted,
    }


def _noted(notes):
    return Counter(line.partition(".")[0] for line in notes.read_text().splitlines())


async def _held(kept):
    """Bytes of memory that a process holds."""
    words = Path(f"/proc/{kept.process.pid}/statm").read_text().split()
    return int(words[1]) * 4096
