"""kill -9 in the middle of a thousand armed dialogs, five times: every episode is alerted once, none twice, none is missing."""

import random
from collections import Counter

import pytest
from aiokafka import AIOKafkaProducer

from app.clock import SYSTEM
from app.codec import encode_json
from app.engine.kafka_client import client_options
from app.model.chat import ChatEvent, ChatKind, Speaker, client_key
from app.topics import CHAT, partition_of
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

DIALOGS = 1_000
KILLS = 5
ANSWERED = 100
"""Clients who answer in time: about them nobody must hear."""
WAIT = 30 * 60 / 200.0
"""Seconds: 30 minutes at the test's time scale."""
SPREAD = 10.0
"""Seconds over which the dialogs come due."""

SCENARIO = """\
id: abandoned_dialog
version: 1
title: The client went silent
dialog: {watch: silent_client, for: 30m}
cascade:
  - {channel: email, template: alert}
"""


def said(number, speaker, at, word):
    key = client_key("telegram", "shop", f"c{number}")
    name = f"{number}-{word}"
    event = ChatEvent(
        "telegram", "shop", f"d{number}", key, ChatKind.MESSAGE, at, name, at, speaker, name, "Is it in stock?"
    )
    return key, encode_json(event)


async def publish(settings, records):
    producer = AIOKafkaProducer(**client_options(settings), acks="all")
    await producer.start()
    try:
        sent = [
            await producer.send(
                settings.topic_prefix + CHAT.name, value, key.encode(), partition=partition_of(key, settings.partitions)
            )
            for key, value in records
        ]
        for future in sent:
            await future
    finally:
        await producer.stop()


async def test_kills_in_the_middle_of_armed_dialogs_neither_lose_nor_repeat_an_alert(make_settings, process, tmp_path):
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    (scenarios / "abandoned_dialog.yaml").write_text(SCENARIO)
    settings = make_settings(time_scale=200.0, instance="dialogs", grace=0.2, scenarios=scenarios)
    chance = random.Random(11)
    async with product(settings, process) as shop:
        await shop.start("worker")
        begin = SYSTEM.now()
        records = []
        for number in range(DIALOGS):
            at = begin + number * SPREAD / DIALOGS
            records.append(said(number, Speaker.CLIENT, at - 1.0, "asks"))
            records.append(said(number, Speaker.MANAGER, at, "answers"))
        await publish(settings, records)
        await publish(
            settings, [said(number, Speaker.CLIENT, begin + 2 * SPREAD, "thanks") for number in range(ANSWERED)]
        )
        for kill in range(KILLS):
            # spread over the time in which they come due, and inside of a step as likely as between two
            moment = begin + WAIT + (kill + chance.random()) * SPREAD / KILLS
            await eventually(lambda moment=moment: SYSTEM.now() >= moment, 60, "the moment of the kill")
            await shop.kill("worker")
            await shop.start("worker", wait=False)
        await shop.ready("worker")
        expected = {f"telegram:shop:d{number}" for number in range(ANSWERED, DIALOGS)}

        async def alerts():
            found = Counter(trigger.alert.dialog for trigger in await shop.triggers())
            return found if len(found) >= len(expected) else None

        found = await eventually(alerts, 90, "every silent dialog has its alert")
        assert set(found) == expected
        assert set(found.values()) == {1}
        triggers = await shop.triggers()
        assert len({trigger.trigger_id for trigger in triggers}) == len(triggers) == len(expected)
