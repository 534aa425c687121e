"""kill -9 in the middle of the second stage of a cascade: each stage is said once to whom it must be, and never to a buyer."""

import asyncio
import signal
from collections import Counter

import pytest

from app.codec import decode_outgoing
from app.model.trigger import Trigger
from app.topics import OUTBOX
from tests.carts import cart_scenario
from tests.chaos.ground import ground
from tests.chaos.log import read
from tests.chaos.shop import HOUR, Customer

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PEOPLE = 40
SCENARIO = cart_scenario(
    """\
  - {channel: email, template: abandoned_cart, wait: 60m, reaction: clicked}
  - {channel: sms, template: abandoned_cart}
""",
    id="abandoned_cart",
)


class Reachable(Customer):
    """Leaves a cart, and may be written to over both channels."""

    def traits(self):
        consent = {"email": True, "sms": True}
        return {**super().traits(), "phone": f"+4477009{int(self.name[1:]):05d}", "consent": consent}


@pytest.mark.parametrize("point", ["produced", "committed"])
async def test_a_kill_in_the_middle_of_a_stage_loses_none_says_none_twice_and_accuses_no_buyer(
    point, make_settings, process, tmp_path
):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "cart.yaml").write_text(SCENARIO)
    (tmp_path / "policy.yaml").write_text("caps: []\n")
    settings = make_settings(instance="chaos", scenarios=tmp_path / "scenarios", policy=tmp_path / "policy.yaml")
    notes = tmp_path / "notes"
    notes.touch()
    people = [Reachable(f"c{number}", "leaver") for number in range(PEOPLE)]
    buyers = people[::4]
    async with ground(settings, process) as place:
        worker, sender = place.keep("worker"), place.keep("delivery", CHAOS_NOTES=str(notes))
        await asyncio.gather(worker.ready(), sender.ready())
        await place.shop.visit(people)
        place.clock.advance(1.5 * HOUR)
        await place.settled(PEOPLE, 60, "every mail has its end")
        await place.shop.send([one.order(place.clock.now()) for one in buyers])
        await worker.kill(CHAOS_DIE=f"{point}:2")  # the next one dies in the midst of it
        place.clock.advance(2 * HOUR)
        await worker.until_ended(60)
        sender.send(signal.SIGKILL)
        spoken = PEOPLE + PEOPLE - len(buyers)
        await place.settled(spoken, 60, "every second stage has its end")
        assert not worker.unasked and not sender.unasked
        triggers = [decode_outgoing(record.value) for record in await read(settings, OUTBOX)]
        ends = Counter(end.message_id for end in place.follower.ends)
    stages = Counter((item.customer, item.stage) for item in triggers if isinstance(item, Trigger))
    assert set(stages.values()) == {1}
    assert {name for name, stage in stages if stage == 1} == {one.name for one in people} - {one.name for one in buyers}
    said = Counter(notes.read_text().split())
    second = {item.trigger_id for item in triggers if isinstance(item, Trigger) and item.stage == 1}
    assert set(said.values()) <= {1}
    assert {f"{name}.1" for name in second} >= set(said)
    assert len(ends) == spoken
    ambiguous = sum(end.outcome.value == "ambiguous" for end in place.follower.ends)
    assert len(said) >= len(second) - ambiguous
