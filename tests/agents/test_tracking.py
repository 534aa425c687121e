"""Links of a message led over the collector: which, in which channel, and what the settings say."""

import re
from dataclasses import replace

import pytest

from agents.delivery.links import Links
from agents.delivery.tracking import Tracking
from app.errors import SettingsError
from app.model.event import Line
from app.model.receipt import Spoken
from app.model.trigger import Content, Stage
from app.settings import load
from app.tokens import read_link_token, read_pixel_token, read_receipt_token, return_code
from channels.pipeline import Urls
from channels.references import PROVIDER_ID, RETURNED, SHORT_LINK
from tests.agents.ledger_table import trigger
from tests.agents.speaking import Mouth, sender

SECRET = "s" * 43
BASE = "https://events.shop.example"
SOFA = "https://shop.example/sofa"
SETTINGS = load({}, public_url=BASE, shop_url="https://shop.example")
NOW = trigger().fired_at
ID = f"{1:032x}.0"
CONTENT = Content(
    name="Anna", items=[Line("1", "Sofa", 10.0, url=SOFA), Line("2", "Lamp", 5.0)], value=15.0, currency="EUR"
)


class Names:
    """What Redis would keep."""

    def __init__(self, answers=True):
        self.known, self.answers = {}, answers

    async def remember(self, kind, name, value):
        if self.answers:
            self.known[kind, name] = value
        return self.answers

    async def stop(self):
        pass


class Sms(Mouth):
    name = "sms"
    provider = "carrier"

    def usable(self, address):
        return ""


async def spoken(names=None, channel=None, settings=SETTINGS, **changes):
    links = Links(settings, SECRET)
    channel = channel or Mouth()
    tracking = Tracking(settings, links, names)

    def unsubscribe(message_id, trigger_, channel_, address):
        return f"{BASE}/u/{message_id}"

    options = {"channels": {channel.name: channel}} if channel.name != "email" else {}
    async with sender(channel if channel.name == "email" else None, tracking=tracking, **options) as one:
        one.delivery._speaker._stages[2]._urls = Urls(unsubscribe, links.receipt)
        values = {"content": CONTENT, **changes}
        if channel.name != "email":
            values |= {"cascade": [Stage(channel.name, "abandoned_cart")], "addresses": {channel.name: "+79161234567"}}
        await one.feed(trigger(**values))
        await one.settled()
    (message,) = channel.spoken
    return message


def hrefs(html):
    return re.findall(r'<a[^>]* href="([^"]*)"', html)


async def test_links_of_a_mail_carry_where_they_lead():
    message = await spoken()
    mine = [url for url in hrefs(message.html) if "/u/" not in url]
    assert mine
    found = [read_link_token(SECRET, url.removeprefix(f"{BASE}/r/"), NOW) for url in mine]
    assert {link.target for link in found} == {SOFA, "https://shop.example"}
    assert {link.spoken for link in found} == {Spoken("u1", "email", ID, "abandoned_cart")}
    assert len({link.number for link in found}) == 2
    in_the_text = re.findall(rf"{BASE}/r/(\S+)", message.text)
    assert {read_link_token(SECRET, token, NOW).target for token in in_the_text} == {SOFA, "https://shop.example"}
    assert SOFA not in message.html + message.text


async def test_the_link_to_unsubscribe_is_left_alone():
    message = await spoken()
    assert f'href="{BASE}/u/{ID}"' in message.html
    assert f"{BASE}/u/{ID}" in message.text
    assert message.unsubscribe == f"{BASE}/u/{ID}"


async def test_a_mail_has_one_pixel_of_its_message():
    message = await spoken()
    (token,) = re.findall(rf'src="{BASE}/o/([^"]+)"', message.html)
    assert read_pixel_token(SECRET, token, NOW)[0] == Spoken("u1", "email", ID, "abandoned_cart")
    assert "/o/" not in message.text


async def test_a_transactional_message_is_not_tracked():
    message = await spoken(marketing=False)
    assert SOFA in message.html
    assert f"{BASE}/r/" not in message.html + message.text
    assert "/o/" not in message.html


@pytest.mark.parametrize(
    ("tracking", "links", "opens"), [("", False, False), ("links", True, False), ("opens", False, True)]
)
async def test_what_is_tracked_is_a_setting(tracking, links, opens):
    message = await spoken(settings=replace(SETTINGS, tracking=tracking))
    assert (f"{BASE}/r/" in message.html, f"{BASE}/o/" in message.html) == (links, opens)
    assert (SOFA in message.html) is not links


async def test_parameters_for_the_shops_own_counter_are_a_setting():
    utm = "utm_source=boomerang&utm_medium={channel}&utm_campaign={scenario}"
    message = await spoken(settings=replace(SETTINGS, utm=utm))
    targets = {
        read_link_token(SECRET, url.removeprefix(f"{BASE}/r/"), NOW).target
        for url in hrefs(message.html)
        if "/u/" not in url
    }
    more = "?utm_source=boomerang&utm_medium=email&utm_campaign=abandoned_cart"
    assert targets == {SOFA + more, "https://shop.example" + more}
    plain = await spoken(settings=replace(SETTINGS, utm=utm, tracking=""))
    assert SOFA + more in plain.text


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tracking": "clicks"}, "BOOMERANG_TRACKING"),
        ({"utm": "utm_source"}, "BOOMERANG_UTM"),
        ({"utm": "utm_source={customer}"}, "customer"),
    ],
)
def test_settings_that_cannot_be_used_are_told(changes, named):
    with pytest.raises(SettingsError, match=named):
        Tracking(replace(SETTINGS, **changes), Links(SETTINGS, SECRET), None)


async def test_where_letters_are_paid_for_links_are_short_and_redis_knows_them():
    names = Names()
    message = await spoken(names, Sms())
    codes = re.findall(rf"{BASE}/r/(\S+)", message.text)
    assert {len(code) for code in codes} == {11}
    targets = {read_link_token(SECRET, names.known[SHORT_LINK, code], NOW).target for code in codes}
    assert targets == {"https://shop.example"}
    assert len(message.text) < 160


async def test_where_a_tap_leads_is_tracked_too():
    names = Names()
    content = Content(name="Anna", items=[Line("1", "Sofa", 10.0, url=SOFA)], value=10.0, currency="EUR")
    message = await spoken(names, Sms(), content=content)
    code = message.link.removeprefix(f"{BASE}/r/")
    assert read_link_token(SECRET, names.known[SHORT_LINK, code], NOW).target == SOFA


@pytest.mark.parametrize("names", [None, Names(answers=False)])
async def test_where_redis_does_not_answer_the_link_stays_as_it_is(names):
    message = await spoken(names, Sms())
    assert "https://shop.example" in message.text
    assert "/r/" not in message.text + message.link


async def test_the_id_of_the_provider_is_remembered_with_the_message():
    names = Names()
    await spoken(names, Sms(answer=None))
    token = names.known[PROVIDER_ID, "carrier:ok"]
    assert read_receipt_token(SECRET, token, NOW) == Spoken("u1", "sms", ID, "abandoned_cart")


async def test_an_id_that_nobody_will_tell_is_not_kept():
    names = Names()
    await spoken(names)
    assert names.known == {}


@pytest.mark.parametrize("marketing", [True, False])
async def test_a_mails_code_is_known_before_its_first_bounce_can_come(marketing):
    names = Names()
    message = await spoken(names, settings=replace(SETTINGS, bounce_verp="+"), marketing=marketing)
    assert message.return_code == return_code(SECRET, ID)
    token = names.known[PROVIDER_ID, f"{RETURNED}:{message.return_code}"]
    assert read_receipt_token(SECRET, token, NOW) == Spoken("u1", "email", ID, "abandoned_cart")


@pytest.mark.parametrize("names", [None, Names(answers=False)])
async def test_a_code_that_nobody_would_know_is_not_used(names):
    message = await spoken(names, settings=replace(SETTINGS, bounce_verp="+"))
    assert message.return_code == ""


async def test_without_the_setting_no_mail_has_a_code():
    assert (await spoken(Names())).return_code == ""
