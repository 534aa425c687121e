"""What `boomerang export` finds in topics: under the customer's keys, and under those of the alerts about him."""

from aiokafka import AIOKafkaProducer

from app.codec import encode_json
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.journal_store import JournalStore, Place
from app.known import known_of
from app.model.chat import ChatCommand, ChatEvent, ChatKind, CommandKind, command_key
from app.model.journal import JournalLine
from app.topics import CHAT, partition_of

NOW = 1_795_332_000.0


async def test_what_the_team_did_about_a_customers_alerts_is_found_and_nothing_about_others(make_settings):
    settings = make_settings(redis="")
    await provision(settings)
    store = JournalStore(settings.sql_url)
    lines = [JournalLine(NOW, "ann", "fired", "dialog", "a1"), JournalLine(NOW, "bob", "fired", "dialog", "b1")]
    store.insert([Place(0, offset, b"", line) for offset, line in enumerate(lines)])
    store.close()
    records = [
        ("ann", ChatEvent("livechat", "server", "c1", "ann", ChatKind.MESSAGE, NOW, "m1", text="Hello")),
        ("bob", ChatEvent("livechat", "server", "c2", "bob", ChatKind.MESSAGE, NOW, "m1", text="Secret")),
        *(
            (command_key(command), command)
            for command in (
                ChatCommand(CommandKind.TAKE, NOW, "p1", by="kim", alert="a1"),
                ChatCommand(CommandKind.TAKE, NOW, "p2", by="kim", alert="b1"),
            )
        ),
    ]
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    for key, item in records:
        number = partition_of(key, settings.partitions)
        await producer.send_and_wait(
            settings.topic_prefix + CHAT.name, encode_json(item), key=key.encode(), partition=number
        )
    await producer.stop()
    known = await known_of(settings, "ann")
    assert sorted(getattr(item, "text", "") or item.by for item in known.dialogs) == ["Hello", "kim"]
    assert {item.alert for item in known.dialogs if isinstance(item, ChatCommand)} == {"a1"}
    assert (await known_of(settings, "ann", events=False)).dialogs == []
