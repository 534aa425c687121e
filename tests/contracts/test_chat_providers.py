"""What every provider that calls us must hold. docs/chat/README.md says how a new one joins."""

import json
import logging

import pytest

from app import metrics
from app.metrics import CHAT_EVENTS, CHAT_UNAUTHENTIC
from app.model.chat import MOST_TEXT, Speaker
from app.web.chat.providers import PROVIDERS
from tests.app.web.chat.frames import EXAMPLES, SOURCES
from tests.app.web.conftest import NOW

every_provider = pytest.mark.parametrize("provider", sorted(PROVIDERS))
SECRETS = [word.strip(" ,}[]") for word in SOURCES.split() if "secret-" in word or "-token" in word]


def example_frames():
    return [(provider, name) for provider, example in EXAMPLES.items() for name in example.frames]


def counted(metric, *labels):
    return metric.labels(*labels)._value.get()


def source_of(provider):
    return EXAMPLES[provider].path.rsplit("/", 1)[1]


def test_every_provider_has_an_example_to_be_tried_with():
    assert EXAMPLES.keys() == PROVIDERS.keys()


@every_provider
def test_the_examples_show_a_client_and_a_manager(provider):
    assert {"client", "manager", "bot"} - {"bot" if provider == "whatsapp" else ""} <= set(EXAMPLES[provider].frames)


@pytest.mark.parametrize(("provider", "name"), example_frames())
async def test_a_genuine_frame_is_stored_before_its_provider_is_answered_in_its_own_words(desk, provider, name):
    answer = await desk.tell(provider, EXAMPLES[provider].frames[name])
    assert (answer.status_code, answer.text) == (200, EXAMPLES[provider].ok)
    (event,) = desk.said
    assert (event.provider, event.source, event.received_at) == (provider, source_of(provider), NOW)
    assert 0 < event.at <= NOW
    (record,) = desk.sink.records
    assert record.key.decode() == event.client
    assert desk.dead == []


@pytest.mark.parametrize(("provider", "name"), example_frames())
@pytest.mark.parametrize("secret", ["", "a guess of the secret"])
async def test_a_frame_that_is_not_genuine_gets_401_and_leaves_nothing(desk, provider, name, secret):
    answer = await desk.tell(provider, EXAMPLES[provider].frames[name], secret=secret)
    assert answer.status_code == 401
    assert desk.sink.records == []


@every_provider
async def test_what_is_not_genuine_is_counted_by_its_verdict(desk, provider):
    before = counted(CHAT_UNAUTHENTIC, provider, source_of(provider), "signature_wrong")
    await desk.tell(provider, EXAMPLES[provider].frames["client"], secret="a guess of the secret")
    assert counted(CHAT_UNAUTHENTIC, provider, source_of(provider), "signature_wrong") == before + 1


@pytest.mark.parametrize("provider", ["chatwoot", "whatsapp"])
async def test_the_signature_of_one_body_does_not_fit_another(desk, provider):
    """Telegram and VK do not sign bodies: their secret is all there is."""
    example = EXAMPLES[provider]
    _, headers = example.call(example.frames["client"])
    body, _ = example.call(example.frames["manager"])
    assert (await desk.http.post(example.path, content=body, headers=headers)).status_code == 401
    assert desk.sink.records == []


@every_provider
async def test_a_repeated_frame_gets_200_and_has_no_effect(desk, provider):
    before = counted(CHAT_EVENTS, provider, source_of(provider), "duplicate")
    for _ in range(3):
        assert (await desk.tell(provider, EXAMPLES[provider].frames["client"])).status_code == 200
    assert len(desk.sink.records) == 1
    assert counted(CHAT_EVENTS, provider, source_of(provider), "duplicate") == before + 2


@every_provider
async def test_a_frame_that_kafka_did_not_take_gets_503_and_counts_when_it_comes_again(desk, provider):
    desk.sink.up = False
    answer = await desk.tell(provider, EXAMPLES[provider].frames["client"])
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    desk.sink.up = True
    assert (await desk.tell(provider, EXAMPLES[provider].frames["client"])).status_code == 200
    assert len(desk.said) == 1


@every_provider
@pytest.mark.parametrize("path", ["/chat/{}/nobody", "/chat/nobody/{}", "/chat/{}", "/chat/{}/", "/chat//", "/chat/"])
async def test_an_unknown_provider_or_source_gets_404(desk, provider, path):
    answer = await desk.tell(provider, EXAMPLES[provider].frames["client"], path=path.format(provider))
    assert answer.status_code == 404
    assert desk.sink.records == []


@every_provider
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_another_method_gets_405_and_says_which_it_takes(desk, provider, method):
    answer = await desk.http.request(method, EXAMPLES[provider].path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@every_provider
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff{}", "not_utf8"),
        (b"[" * 5_000 + b"]" * 5_000, "too_deep"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b'"word"', "wrong_type"),
        (b'{"a":1,"a":2}', "duplicate_keys"),
    ],
)
async def test_a_body_that_is_no_json_object_gets_400_and_one_line(desk, provider, body, reason):
    answer = await desk.tell(provider, body)
    if provider == "vk" and reason in ("wrong_type", "duplicate_keys"):
        assert answer.status_code == 401  # the secret stands in the body: nobody has told it
    else:
        assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert "\n" not in answer.text
    assert desk.sink.records == []


@every_provider
async def test_a_body_over_1_mb_gets_413(desk, provider):
    example = EXAMPLES[provider]
    assert (await desk.tell(provider, example.message("я" * 600_000, 1))).status_code == 413
    assert (await desk.tell(provider, example.message("я" * 400_000, 2))).status_code == 200
    assert len(desk.said) == 1


@every_provider
async def test_an_unknown_kind_of_frame_gets_200_and_is_counted(desk, provider):
    before = counted(CHAT_EVENTS, provider, source_of(provider), "ignored")
    answer = await desk.tell(provider, EXAMPLES[provider].unknown)
    assert (answer.status_code, answer.text) == (200, EXAMPLES[provider].ok)
    assert counted(CHAT_EVENTS, provider, source_of(provider), "ignored") == before + 1
    assert desk.sink.records == []


@every_provider
@pytest.mark.parametrize(("what", "reason"), [("without_dialog", "missing_dialog"), ("without_time", "missing_time")])
async def test_a_message_without_dialog_or_time_is_a_dead_letter_with_its_reason(desk, provider, what, reason):
    example = EXAMPLES[provider]
    frame = getattr(example, what)(example.message("где мой заказ?", 1))
    answer = await desk.tell(provider, frame)
    assert (answer.status_code, answer.text) == (200, example.ok)
    assert desk.said == []
    (letter,) = desk.dead
    assert (letter.reason, letter.source) == (reason, f"chat:{provider}:{source_of(provider)}")
    assert "где мой заказ?" in json.dumps(json.loads(letter.value), ensure_ascii=False)


WORDS = {
    "emoji": "Спасибо 👍🏽👨‍👩‍👧‍👦 🇷🇺",
    "right to left": "مرحبا، هل المنتج متوفر؟ \u200fשלום\u200e",
    "lines": "первая\nвторая\tтретья",
    "markup": "<b>*_[x](http://e.example)_*</b> & &amp;",
}


@every_provider
@pytest.mark.parametrize("name", WORDS)
async def test_words_arrive_as_they_were_written(desk, provider, name):
    assert (await desk.tell(provider, EXAMPLES[provider].message(WORDS[name], 1))).status_code == 200
    (event,) = desk.said
    assert (event.text, event.speaker) == (WORDS[name], Speaker.CLIENT)


@every_provider
async def test_a_text_of_100_kb_survives_cut_and_in_whole_characters(desk, provider):
    assert (await desk.tell(provider, EXAMPLES[provider].message("👍" * 25_600, 1))).status_code == 200
    (event,) = desk.said
    assert event.text == "👍" * (MOST_TEXT - 1) + "…"


@every_provider
async def test_half_an_emoji_is_mended(desk, provider):
    example = EXAMPLES[provider]
    whole, _ = example.call(example.message("HALF", 1))
    body = whole.replace(b"HALF", b"\\ud83d!")
    _, headers = example.call(body)
    assert (await desk.http.post(example.path, content=body, headers=headers)).status_code == 200
    (event,) = desk.said
    assert event.text == "\ufffd!"


@every_provider
async def test_a_message_from_the_future_happened_when_it_arrived(desk, provider):
    desk.clock.advance(-3_600)
    assert (await desk.tell(provider, EXAMPLES[provider].frames["client"], at=NOW - 3_600)).status_code == 200
    assert desk.said[0].at == NOW - 3_600


@every_provider
async def test_neither_words_nor_secrets_reach_logs_metrics_or_answers(desk, provider, caplog):
    caplog.set_level(logging.DEBUG)
    example, told = EXAMPLES[provider], []
    for number, secret in enumerate(("", "a guess of the secret", None)):
        more = {} if secret is None else {"secret": secret}
        told.append((await desk.tell(provider, example.message("КАНАРЕЙКА", number), **more)).text)
    told.append((await desk.tell(provider, b"{")).text)
    frame = example.without_dialog(example.message("КАНАРЕЙКА", 9))
    told.append((await desk.tell(provider, frame)).text)
    everything = caplog.text + metrics.render().decode() + "".join(told)
    assert "КАНАРЕЙКА" not in everything
    assert SECRETS
    assert [secret for secret in SECRETS if secret in everything] == []
