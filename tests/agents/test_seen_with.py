"""Conditions on the device: what a customer was last there with is kept where one asks for it, and cheap where it stays the same."""

import msgspec
import pytest

from agents.conditions.compile import compiled
from agents.conditions.faults import condition_faults
from agents.conditions.language import ConditionFile
from agents.conditions.verdict import Facts
from agents.scenarios.document import read_document
from agents.scenarios.load import parse
from agents.segments.load import load_segments
from app.clock import moment
from app.model.event import Event, Properties
from tables.customer import Customer
from tables.engagement import Engagement, SeenWith
from tables.identity import merge
from tests.driver import DAY, HOUR, Engine

HEAD = """\
id: hint
version: 1
title: Hint
family: news
priority: 50
cap: 0s
reentry: always
unless: {order_within: 0s}
"""
GREETS = "steps: [{message: {channel: email, template: hello}}]\n"
MOBILE = "entry: {event: Subscribed, when: {device: kind, is: mobile}}\n" + GREETS
LOOKED = "entry: {event: Subscribed}\n" + GREETS


def shop_of(text=MOBILE, segments=None):
    shop = Engine([parse(HEAD + text)], delivers=True, segments=segments)
    shop.subscriber()
    return shop


def there(shop, device, user="u1", name="", at=None, **more):
    shop._ids += 1
    kind = "track" if name else "page"
    when = moment(shop.clock.now() if at is None else at)
    properties = Properties(product_id="p1") if name == "Product Viewed" else None
    shop.feed(Event(kind, when, name, f"d{shop._ids}", user, properties=properties, deviceKind=device, **more))


def seen_with(shop, user="u1"):
    engagement = shop.customer(user).engagement
    device = engagement.seen_with if engagement is not None else None
    return (device.kind, device.system) if device is not None else None


@pytest.mark.parametrize(
    ("text", "device", "holds"),
    [
        ("{device: kind, is: mobile}", SeenWith("mobile", "ios"), True),
        ("{device: kind, is: mobile}", SeenWith("desktop", "macos"), False),
        ("{device: kind, in: [mobile, tablet]}", SeenWith("tablet", "android"), True),
        ("{device: os, is: ios}", SeenWith("app", "ios"), True),
        ("{device: os, in: [ios, android]}", SeenWith("desktop", "linux"), False),
        ("{device: kind, exists: false}", None, True),
        ("{device: kind, exists: true}", SeenWith("app", "ios"), True),
        ("{device: os, is: ios}", None, False),
    ],
)
def test_what_is_asked_of_the_last_device(text, device, holds):
    value = read_document(text).value
    assert list(condition_faults(value, ())) == []
    condition = compiled(msgspec.convert(value, ConditionFile))
    facts = Facts(Customer(engagement=Engagement(seen_with=device)), 1.0)
    assert condition.holds(facts).value is holds
    assert condition.told(facts).startswith(f"the {value['device']} of the last device is ")
    assert condition.holds(Facts(Customer(), 1.0)).value is (text == "{device: kind, exists: false}")


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("{device: kind}", (), "needs what is asked of it: one of is, in, exists"),
        ("{device: kind, is: phone}", ("is",), "'phone' is none of mobile, tablet, desktop, app"),
        ("{device: kind, in: [mobil]}", ("in", 0), "did you mean 'mobile'?"),
        ("{device: os, is: mobile}", ("is",), "none of android, ios"),
        ("{device: kind, exists: false, is: app}", ("exists",), "what is unknown has no value"),
        ("{device: webpush, is: app}", ("is",), "says nothing beside `device: webpush`"),
        ("{device: kind, at_least: 1}", ("at_least",), "says nothing beside `device`"),
    ],
)
def test_what_cannot_be_asked_of_a_device_is_refused_with_advice(text, place, told):
    faults = list(condition_faults(read_document(text).value, ()))
    assert any(fault.place == place and told in fault.text for fault in faults), faults


def test_the_device_of_the_event_at_hand_counts_and_a_late_event_does_not_take_it_back():
    shop = shop_of()
    there(shop, "mobile ios")
    there(shop, "desktop windows", at=shop.clock.now() - 60.0)
    assert seen_with(shop) == ("mobile", "ios")
    there(shop, "mobile android", name="Subscribed")
    shop.wait(HOUR)
    assert shop.fired == ["hint"]
    there(shop, "desktop windows", name="Subscribed")
    shop.wait(HOUR)
    assert shop.fired == ["hint"]
    there(shop, "fridge other")
    there(shop, "mobile")
    there(shop, "")
    assert seen_with(shop) == ("desktop", "windows")


def test_without_a_condition_that_asks_for_it_nothing_is_kept():
    shop = shop_of(LOOKED)
    there(shop, "mobile ios", name="Product Viewed")
    there(shop, "mobile ios")
    assert seen_with(shop) is None
    assert shop.decider.coarse and not shop.decider.kept.devices


def test_mere_activity_with_the_same_device_does_not_unpack_the_row(monkeypatch):
    shop = shop_of()
    there(shop, "mobile ios")
    applied = []
    decide = shop.decider.on_event
    monkeypatch.setattr(shop.decider, "on_event", lambda *some: (applied.append(some[2]), decide(*some))[1])
    shop.wait(1.0)
    there(shop, "mobile ios")
    assert applied == [] and shop.customer().last_seen == shop.clock.now()
    shop.wait(1.0)
    there(shop, "tablet ios")
    assert len(applied) == 1 and seen_with(shop) == ("tablet", "ios")
    there(shop, "tablet ios", "new")
    assert seen_with(shop, "new") == ("tablet", "ios")


def test_a_segment_by_the_device_is_entered_and_left_with_it(tmp_path):
    (tmp_path / "pocket.yaml").write_text("id: pocket\ntitle: Pocket\nwhen: {device: kind, in: [mobile, app]}\n")
    shop = shop_of("entry: {segment: {enters: pocket}}\n" + GREETS, segments=load_segments(tmp_path))
    there(shop, "desktop windows")
    shop.wait(DAY)
    there(shop, "app ios")
    assert set(shop.customer().engagement.segments) == {"pocket"}
    shop.wait(DAY)
    assert shop.fired == ["hint"]
    there(shop, "desktop windows")
    assert not shop.customer().engagement.segments


def test_of_two_customers_who_are_one_the_device_of_the_later_visit_counts():
    for ours, theirs, seen in ((1.0, 2.0, "app"), (2.0, 1.0, "mobile")):
        owner = Customer(ours, ours, engagement=Engagement(seen_with=SeenWith("mobile", "ios")))
        merge(owner, Customer(theirs, theirs, engagement=Engagement(seen_with=SeenWith("app", "ios"))))
        assert owner.engagement.seen_with.kind == seen
    owner = Customer(1.0, 1.0, engagement=Engagement(seen_with=SeenWith("mobile", "ios")))
    merge(owner, Customer(2.0, 2.0, engagement=Engagement()))
    assert owner.engagement.seen_with.kind == "mobile"
