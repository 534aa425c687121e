"""Topics on the real broker: made as the table says, checked when they are there."""

from dataclasses import replace

import pytest

from app.commands.topics import table
from app.engine.provision import check_partitions, provision, topic_configs
from app.errors import CommandError
from app.topics import ALL, CHAT, CUSTOMERS_CHANGELOG, OUTBOX
from tests.app.web.chat.frames import SOURCES

pytestmark = pytest.mark.broker


async def test_missing_topics_are_made_with_their_configuration_and_the_second_run_finds_them(make_settings):
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    settings = make_settings(redis="", partitions=3)
    names = {settings.topic_prefix + topic.name for topic in ALL}
    assert set((await provision(settings)).missing) == names
    assert set((await provision(settings)).present) == names

    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.removeprefix("kafka://"))
    await admin.start()
    try:
        described = await admin.describe_topics(sorted(names))
        assert {len(topic["partitions"]) for topic in described} == {3}
        for topic in (CUSTOMERS_CHANGELOG, OUTBOX):
            resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic_prefix + topic.name)
            answer = (await admin.describe_configs([resource]))[0]
            actual = {entry[0]: entry[1] for entry in answer.resources[0][4]}
            assert topic_configs(topic).items() <= actual.items()
    finally:
        await admin.close()


async def test_another_number_of_partitions_is_refused_with_what_to_set(make_settings):
    settings = make_settings(redis="", partitions=2)
    await provision(settings, (OUTBOX,))
    with pytest.raises(CommandError, match=r"BOOMERANG_PARTITIONS is 4, but t\w+-outbox has 2; set it to that number"):
        await provision(replace(settings, partitions=4))


async def test_without_create_nothing_is_made_and_the_list_says_what_is_missing(make_settings):
    settings = make_settings(redis="")
    done = await provision(settings, create=False)
    assert len(done.missing) == len(ALL)
    assert done.present == ()
    assert (await provision(settings, create=False)).present == ()
    assert all("(missing)" in line for line in table(settings, done.present)[1:])


async def test_a_broker_that_cannot_be_reached_is_told_in_one_line(make_settings, free_port):
    settings = make_settings(redis="", kafka=f"kafka://127.0.0.1:{free_port()}")
    with pytest.raises(CommandError, match="does not work with us: it cannot be reached .*; check BOOMERANG_KAFKA$"):
        await provision(settings)


async def test_a_process_that_can_wait_for_kafka_starts_without_it(make_settings, free_port, caplog):
    await check_partitions(make_settings(redis="", kafka=f"kafka://127.0.0.1:{free_port()}"))
    assert "partitions were not checked" in caplog.text


@pytest.mark.parametrize("command", ["collector", "chat-gateway", "console"])
async def test_who_writes_into_topics_that_are_split_otherwise_does_not_start(
    make_settings, process, eventually, tmp_path, command
):
    (tmp_path / "chats.yaml").write_text(SOURCES)
    settings = make_settings(chats=str(tmp_path / "chats.yaml"), partitions=2)
    await provision(settings, (CHAT,))
    child = process.boomerang(command, settings=replace(settings, partitions=4))
    await eventually(lambda: child.status() is not None, 60, f"{command} has ended")
    child.log.join()
    assert child.status() == 1
    told = f"BOOMERANG_PARTITIONS is 4, but {settings.topic_prefix}chat has 2; set it to that number"
    assert any(told in line for line in child.log.tail()), child.log.tail()
