"""The shop's own traits: told by a server key, bounded, and never by a page."""

from app.clock import moment
from app.codec import decode_event
from app.web.collector.normalise import Envelope, normalise
from app.web.collector.profile import CUSTOM_LIMIT

NOW = 1_767_614_400.0


def traits(source, **told):
    event = {
        "type": "identify",
        "userId": "u1",
        "messageId": "m1",
        "timestamp": moment(NOW).isoformat(),
        "traits": told,
    }
    return decode_event(normalise(event, "", Envelope(NOW, source)).value).traits


def test_a_server_key_tells_traits_of_the_shops_own():
    found = traits("server", birthday="1990-05-17", level=3, vip=True, city="Ulm", Odd=1, nested={"a": 1}, gone=None)
    assert found.custom == {"birthday": "1990-05-17", "level": 3.0, "vip": True}
    assert found.city == "Ulm"


def test_a_page_tells_none_and_cannot_pass_them_off_as_told():
    found = traits("browser", birthday="1990-05-17", custom={"birthday": "1990-05-17"}, city="Ulm")
    assert (found.custom, found.city) == (None, "Ulm")


def test_what_is_too_much_or_no_value_is_left_out():
    many = {f"t{n:02}": "x" * 500 for n in range(50)}
    found = traits("server", nan=float("nan"), **many)
    assert len(found.custom) == CUSTOM_LIMIT
    assert {len(value) for value in found.custom.values()} == {200}
    assert "nan" not in found.custom
