"""The demo's two dialogs, through the collector's own words and the core: each has its alert, and the order ends one."""

import orjson
import pytest

from agents.dialogs.staff import Staff
from agents.scenarios.load import load_dialogs, load_folder
from app.codec import encode_json
from app.demo.dialogs import SILENT_BUYER, WAITING, talkers
from app.demo.stage import TIME_SCALE
from app.demo.watch import Watch
from app.model.alert import AlertState
from app.model.reasons import Reason
from app.model.team import Team
from app.topics import CHAT, CLICKSTREAM
from app.web.chat import livechat
from app.web.collector.normalise import Envelope, normalise
from tests.driver import BUILT_IN, Engine

CLIENTS = {client.story: client for client in talkers(run="7", shop_url="http://127.0.0.1:8002")}


def played(story):
    staff = Staff(Team(addresses={"email": "sales@shop.example"}))
    dialogs = load_dialogs(BUILT_IN, time_scale=TIME_SCALE)
    shop = Engine(load_folder(BUILT_IN, time_scale=TIME_SCALE), dialogs=dialogs, staff=staff, grace=2.0)
    begun = shop.clock.now()
    for step in CLIENTS[story].steps:
        shop.wait(begun + step.at - shop.clock.now())
        accepted = normalise(dict(step.event), "", Envelope(shop.clock.now(), step.kind))
        shop.record(CLICKSTREAM.name, accepted.customer, accepted.value)
        if accepted.name in livechat.NAMES:
            said = livechat.event(orjson.loads(accepted.value), accepted.customer, shop.clock.now())
            shop.record(CHAT.name, said.client, encode_json(said))
    assert shop.dead == []
    return shop


def test_the_silent_client_is_told_of_with_the_cart_and_her_order_resolves_the_alert():
    shop = played(SILENT_BUYER)
    (trigger,) = [trigger for trigger in shop.triggers if trigger.alert is not None]
    assert (trigger.scenario, trigger.alert.who) == ("abandoned_dialog", "Olga")
    assert len(trigger.alert.cart) == 2
    assert [update.reason for update in shop.updates] == [Reason.CLIENT_RETURNED, Reason.ENDED_BY_ORDER]
    assert shop.updates[-1].state is AlertState.RESOLVED
    assert [item for item in shop.triggers if item.alert is None] == []


def test_the_client_who_waits_is_told_of_and_then_goes_silent():
    shop = played(WAITING)
    assert shop.fired == ["first_response"]
    assert shop.updates[-1].reason == Reason.ENDED_BY_MANAGER
    shop.wait(30)
    assert shop.fired == ["first_response", "abandoned_dialog"]
    assert next(iter(shop.board.values())).alert_state is AlertState.OPEN


@pytest.mark.parametrize("to", ["sales@shop.example", "Sales@shop.example"])
def test_an_alert_is_told_and_counted_apart_from_the_mails_to_customers(to):
    watch = Watch([], frozenset({"sales@shop.example"}))
    mail = {
        "id": 1,
        "to": to,
        "subject": "Olga is silent",
        "scenario": "abandoned_dialog",
        "sent_at": 120.0,
        "text": "",
    }
    (finding,) = watch.take([mail], 100.0)
    assert finding.text == "alert to the team: Olga is silent"
    assert (watch.alerts.total(), watch.others.total()) == (1, 0)
