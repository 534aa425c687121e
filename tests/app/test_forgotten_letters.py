"""Which dead letters are about a customer who was erased: those of before that name him, and no other's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.forgotten_letters import Forgotten, names, note
from app.model.journal import DeadLetter

NOW = 1_795_332_000.0
KEYS = ["42", "anon:visitor-7", "email:ann@shop.example", "phone:+79161234567", "dialog:telegram:shop:1001"]


@pytest.fixture
def forgotten():
    found = Forgotten()
    found.add(note(KEYS, NOW))
    return found


def refused(document, source="collector:browser", at=NOW - 1):
    return DeadLetter("wrong_type", at, key=b"collector", value=json.dumps(document).encode(), source=source)


@pytest.mark.parametrize(
    "letter",
    [
        refused({"userId": "42", "event": "x"}),
        refused({"userId": 42}),
        refused({"anonymousId": "visitor-7"}),
        refused({"type": "alias", "previousId": "visitor-7"}),
        refused({"traits": {"email": "Ann@shop.example"}}),
        refused({"context": {"traits": {"phone": "+7 (916) 123-45-67"}}}),
        refused({"message": {"chat": {"id": 1001}}}, "chat:telegram:shop"),
        refused({"contacts": [{"wa_id": "79161234567"}]}, "chat:whatsapp:main"),
        DeadLetter("bad_record", NOW - 1, "clickstream", 0, 5, b"42", b"{"),
        DeadLetter("handler_failed", NOW, "links", 0, 5, b"anon:visitor-7", b"\xff"),
    ],
)
def test_what_names_him_is_forgotten(forgotten, letter):
    assert letter in forgotten


@pytest.mark.parametrize(
    "letter",
    [
        refused({"userId": "42"}, at=NOW + 1),
        refused({"userId": "43"}),
        refused({"userId": "7", "properties": {"quantity": 42, "name": "42"}}),
        refused({"anonymousId": "42"}),
        refused({"userId": "visitor-7"}),
        refused({"message": {"chat": {"id": 1001}}}, "chat:telegram:another"),
        refused({"message": {"chat": {"id": 1002}}}, "chat:telegram:shop"),
        refused([]),
        DeadLetter("bad_record", NOW - 1, "clickstream", 0, 5, b"43", b'{"userId":"43"}'),
        DeadLetter("not_json", NOW - 1, value=b"42", source="collector:server"),
    ],
)
def test_what_names_somebody_else_or_is_newer_is_not(forgotten, letter):
    assert letter not in forgotten


def test_a_note_has_no_names_in_it():
    text = str(note(KEYS, NOW))
    assert not [word for word in ("ann@", "visitor-7", "79161234567", "1001") if word in text]


@given(st.binary(max_size=300), st.text(max_size=40), st.binary(max_size=40))
def test_no_letter_raises_anything(value, source, key):
    for letter in (
        DeadLetter("x", 0.0, "", key=key, value=value, source=source),
        DeadLetter("x", 0.0, "chat", key=key),
    ):
        assert all(isinstance(name, str) for name in names(letter))
    Forgotten().add(DeadLetter("erased", 0.0, value=value))
