"""The demo's cascade: a wish, three channels, and what the watcher makes of them."""

import pytest

from agents.policy import load_policy
from agents.scenarios.load import parse
from app.clock import moment
from app.codec import decode_event
from app.demo import stage
from app.demo.stage import TIME_SCALE
from app.demo.watch import Watch
from app.demo.wisher import CHANNELS, SCENARIO, wisher
from app.web.collector.normalise import Envelope, normalise
from tests.driver import Engine

WANDA = wisher(run="7", shop_url="http://127.0.0.1:8002")


def mail(number, channel):
    to = WANDA.email if channel == "email" else WANDA.phone
    return {"id": number, "channel": channel, "to": to, "subject": "s", "text": "t", "scenario": SCENARIO, "sent_at": 200.0 + number}  # fmt: skip


def test_the_wish_is_told_over_three_channels_one_after_the_other_within_a_minute():
    folder = stage._HERE
    scenario = parse((folder / f"{SCENARIO}.yaml").read_text(), time_scale=TIME_SCALE)
    shop = Engine([scenario], policy=load_policy(folder / "policy.yaml", time_scale=TIME_SCALE), delivers=True)
    for step in WANDA.steps:
        shop.clock.advance(0.5)
        event = {**step.event, "timestamp": moment(shop.clock.now()).isoformat()}
        told = normalise(event, "", Envelope(shop.clock.now(), step.kind, clamp=False))
        shop.feed(decode_event(told.value))
    shop.wait(60)
    assert [trigger.cascade[0].channel for trigger in shop.triggers] == list(CHANNELS)
    assert {trigger.trigger_id for trigger in shop.triggers} == {shop.triggers[0].trigger_id}
    assert shop.dead == []


def test_the_watcher_tells_each_stage():
    watching = Watch([WANDA])
    findings = watching.take([mail(number, channel) for number, channel in enumerate(CHANNELS)], 100.0)
    assert [finding.bad for finding in findings] == [False] * 3
    assert watching.cascade == list(CHANNELS)
    assert "stage 2 of 3 of the cascade, by whatsapp" in findings[1].text


@pytest.mark.parametrize(
    "channels", [("sms",), ("email", "sms"), ("email", "email"), ("email", "whatsapp", "sms", "sms")]
)
def test_a_stage_too_many_or_out_of_order_is_a_broken_promise(channels):
    watching = Watch([WANDA])
    findings = watching.take([mail(number, channel) for number, channel in enumerate(channels)], 100.0)
    assert findings[-1].bad
    assert watching.wrong
