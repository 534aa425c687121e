"""Whatever a frame holds, reading it raises nothing and everything that comes of it is bounded."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.codec import decode_chat, encode_json
from app.model.chat import MOST_NAME, MOST_TEXT, MOST_URL
from app.web.chat import retailcrm
from app.web.chat.found import Place
from app.web.chat.providers import PROVIDERS
from app.web.chat.sources import parse_sources
from tests.app.web.chat.conftest import CRM, Desk
from tests.app.web.chat.frames import EXAMPLES, RETAILCRM, SOURCES, call_vk
from tests.app.web.conftest import NOW

CONFIGS = parse_sources(SOURCES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SOURCE = {name: EXAMPLES[name].path.rsplit("/", 1)[1] for name in EXAMPLES}


@st.composite
def damaged(draw, frames):
    """A real frame in which some values, wherever they stand, have become anything at all or have gone."""
    frame = json.loads(json.dumps(draw(st.sampled_from(list(frames.values())))))
    for _ in range(draw(st.integers(1, 4))):
        at, path = frame, []
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            path.append((at, key))
            at = at[key]
            if draw(st.booleans()) and draw(st.booleans()):
                break
        holder, key = path[-1]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = draw(JSON)
        if not frame:
            break
    return frame


def check(found):
    for event in found.events:
        assert decode_chat(encode_json(event)) == event
        assert event.dialog
        assert event.client
        assert event.event_id
        assert 0 < event.at <= NOW
        assert len(event.text) <= MOST_TEXT
        for value in (event.dialog, event.client, event.manager, event.manager_name, event.name, *(event.tags or ())):
            assert len(value) <= MOST_NAME
        assert len(event.url) <= MOST_URL
    for _, refused in found.refused:
        assert refused.reason in ("missing_dialog", "missing_time", "missing_id")


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_frame_raises_nothing(provider, data):
    frame = data.draw(damaged(EXAMPLES[provider].frames))
    place = Place(provider, SOURCE[provider], NOW)
    check(PROVIDERS[provider].events(frame, CONFIGS[provider][SOURCE[provider]], place))


@given(frame=damaged(RETAILCRM))
@settings(max_examples=60, deadline=None)
def test_a_damaged_frame_of_the_gateway_raises_nothing(frame):
    check(retailcrm.events(frame, CRM, Place("retailcrm", "crm", NOW)))


@given(page=JSON)
@settings(max_examples=40, deadline=None)
def test_a_strange_page_of_the_gateway_raises_nothing(page):
    place = Place("retailcrm", "crm", NOW)
    check(retailcrm.missed_messages(page, CRM, place))
    check(retailcrm.missed_dialogs(page, 0.0, place))


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), genuine=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_answered_with_a_500(provider, body, genuine, chat_settings):
    example = EXAMPLES[provider]

    async def ask():
        desk = Desk(chat_settings)
        await desk.intake.start()
        try:
            sent, headers = example.call(body)
            if provider == "vk" and genuine and body.startswith(b"{"):
                sent, headers = call_vk(json.loads(body) | {"group_id": 219}) if _is_json(body) else (body, {})
            return await desk.http.post(example.path, content=sent, headers=headers if genuine else {})
        finally:
            await desk.http.aclose()
            await desk.intake.close()

    assert asyncio.run(ask()).status_code in (200, 400, 401)


def _is_json(body):
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
