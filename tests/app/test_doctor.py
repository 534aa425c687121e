"""The doctor asks every dependency, goes on after a bad one, and says what to do."""

import pytest

from app.clock import SYSTEM, moment
from app.doctor import EXAMINATIONS, Verdict, findings
from app.engine.provision import provision
from app.settings import Settings
from tests.app.test_metrics import certificate
from tests.app.web.chat.gateway_server import TOKEN, gateway_server
from tests.channels.relays import relay
from tests.servers import eventually, free_port

pytestmark = pytest.mark.broker
LIVE = {
    "write_keys": "server:a-key-of-our-own",
    "secret": "x" * 32,
    "instance": "w1",
    "public_url": "https://events.shop.example",
}


async def examined(settings):
    found = [finding async for finding in findings(settings, SYSTEM)]
    return {finding.what: finding for finding in found}


async def test_a_sound_system_has_nothing_bad(make_settings, tmp_path):
    async with relay() as handler:
        settings = make_settings(smtp=f"smtp+plain://127.0.0.1:{handler.port}", **LIVE)
        await provision(settings)
        found = await examined(settings)
    assert {finding.verdict for finding in found.values() if finding.what != "disk"} == {Verdict.GOOD}, found
    assert set(found) == {*EXAMINATIONS, "topics", "clock"} - {"kafka certificate"}


async def test_every_bad_thing_is_told_and_what_to_do_about_it(make_settings, tmp_path):
    (tmp_path / "old.pem").write_text(certificate(3)[0])
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "broken.yaml").write_text("id: [")
    (tmp_path / "file").write_text("")
    settings = make_settings(
        redis=f"redis://127.0.0.1:{free_port()}/0",
        smtp=f"smtp+plain://127.0.0.1:{free_port()}",
        sql=f"sqlite:///{tmp_path}/file/journal.sqlite",
        scenarios=tmp_path / "scenarios",
        kafka_cafile=str(tmp_path / "old.pem"),
        token_expiries=f"whatsapp={moment(SYSTEM.now() + 5 * 86_400):%Y-%m-%d},vk=2020-01-31",
    )
    found = await examined(settings)
    bad = {finding.what for finding in found.values() if finding.verdict is Verdict.BAD}
    assert bad - {"disk"} == {"scenarios", "topics", "redis", "smtp", "journal", "vk token"}
    assert found["whatsapp token"].verdict is Verdict.DOUBTFUL
    assert "boomerang topics --create" in found["topics"].text
    assert "BOOMERANG_REDIS" in found["redis"].text
    assert "BOOMERANG_SMTP" in found["smtp"].text
    assert "BOOMERANG_SQL" in found["journal"].text
    assert found["kafka certificate"].verdict is Verdict.DOUBTFUL
    assert found["transactions"].verdict is Verdict.GOOD
    assert "BOOMERANG_WRITE_KEYS" in " ".join([finding.text async for finding in findings(settings, SYSTEM)])


async def test_scenarios_of_dialogs_and_segments_are_looked_at_too(make_settings, tmp_path):
    (tmp_path / "scenarios").mkdir()
    dialog = (Settings().scenarios / "first_response.yaml").read_text()
    (tmp_path / "scenarios" / "first_response.yaml").write_text(dialog)
    settings = make_settings(scenarios=tmp_path / "scenarios")
    (found,) = await EXAMINATIONS["scenarios"](settings, SYSTEM)
    assert (found.verdict, found.text) == (Verdict.GOOD, "1 are fine")
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "broken.yaml").write_text("id: [")
    (found,) = await EXAMINATIONS["scenarios"](
        make_settings(scenarios=tmp_path / "scenarios", segments=tmp_path / "segments"), SYSTEM
    )
    assert found.verdict is Verdict.BAD
    assert "broken.yaml" in found.text


@pytest.mark.parametrize(
    ("token", "verdict", "told"), [(TOKEN, Verdict.GOOD, "answers"), ("not-that-token", Verdict.BAD, "401")]
)
async def test_a_chat_gateway_is_asked_with_its_token(make_settings, tmp_path, token, verdict, told):
    async with gateway_server() as gateway:
        file = tmp_path / "chats.yaml"
        file.write_text(
            f"vk: {{club: {{group_id: 1, secret: a-good-secret, confirmation: c}}}}\nretailcrm: {{crm: {{url: '{gateway.url}', token: {token}}}}}"
        )
        found = await EXAMINATIONS["chat"](make_settings(kafka="", redis="", chats=str(file)), SYSTEM)
    assert [finding.what for finding in found] == ["chat", "gateway crm"]
    assert found[0].text == "sources: vk 1, retailcrm 1"
    assert found[1].verdict is verdict
    assert told in found[1].text
    assert token not in found[1].text


async def test_a_chat_file_that_cannot_be_used_is_bad(make_settings, tmp_path):
    (tmp_path / "chats.yaml").write_text("icq: {}")
    found = await examined(make_settings(chats=str(tmp_path / "chats.yaml"), kafka=f"kafka://127.0.0.1:{free_port()}"))
    assert found["chat"].verdict is Verdict.BAD
    assert "there is no provider 'icq'" in found["chat"].text


async def test_a_broker_that_is_away_is_one_bad_thing_of_several(make_settings):
    settings = make_settings(kafka=f"kafka://127.0.0.1:{free_port()}", **LIVE)
    found = await examined(settings)
    assert found["kafka"].verdict is Verdict.BAD
    assert "BOOMERANG_KAFKA" in found["kafka"].text
    assert found["redis"].verdict is Verdict.GOOD


async def test_the_command_says_it_with_its_status(make_settings, process):
    settings = make_settings()
    missing = process.boomerang("doctor", settings=settings)
    await eventually(lambda: missing.status() is not None, 60)
    assert missing.status() == 1
    assert any(line.startswith("bad   topics: ") for line in missing.log.tail(30)), missing.log.tail(30)
    await provision(settings)
    fine = process.boomerang("doctor", settings=settings)
    await eventually(lambda: fine.status() is not None, 60)
    lines = fine.log.tail(30)
    assert [line for line in lines if line.startswith("bad") and "disk" not in line] == []


@pytest.mark.parametrize(
    ("provider", "secrets", "verdict", "told"),
    [
        ("", "", Verdict.GOOD, "0 providers"),
        ("smpp", "", Verdict.GOOD, "0 providers"),
        ("twilio", "twilio=a-word-of-theirs", Verdict.GOOD, "1 providers"),
        ("twilio", "", Verdict.DOUBTFUL, "whoever knows the address"),
        ("smsaero", "", Verdict.DOUBTFUL, "signs nothing"),
    ],
)
async def test_a_provider_whose_receipts_have_no_key_is_told(make_settings, provider, secrets, verdict, told):
    settings = make_settings(sms_provider=provider, receipt_secrets=secrets)
    (found,) = await EXAMINATIONS["receipts"](settings, SYSTEM)
    assert (found.verdict, told in found.text) == (verdict, True)
