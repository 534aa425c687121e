"""From a provider's request to the alert of the sales team, over the real webhook and the real core: nothing lost in translation."""

import pytest

from agents.dialogs.staff import Staff
from agents.scenarios.load import load_dialogs
from app.clock import ManualClock
from app.model.alert import AlertState, Watch
from app.model.chat import DialogStatus
from app.model.reasons import Reason
from app.model.team import Member, Team
from app.topics import CHAT, CLICKSTREAM
from app.web.chat import retailcrm
from app.web.chat.found import Place
from app.web.chat.providers import PROVIDERS
from tests.app.web.chat.conftest import CRM
from tests.app.web.chat.frames import CHATWOOT, EXAMPLES, RETAILCRM, TELEGRAM, cw_event
from tests.app.web.chat.test_webhooks import live_chat
from tests.app.web.conftest import NOW
from tests.driver import BUILT_IN, DAY, MINUTE, Engine

MANAGERS = {"telegram": "77", "whatsapp": "", "vk": "55", "chatwoot": "7", "retailcrm": "8"}
TEAM = Team(
    addresses={"email": "sales@shop.example"},
    members=(
        Member(
            "ivan",
            "Иван",
            ("telegram:shop:77", "vk:club:55", "chatwoot:support:7", "retailcrm:crm:8"),
            {"email": "ivan@shop.example"},
        ),
    ),
)


class Sales:
    """A collector, and behind it the core with the dialogs' scenarios."""

    def __init__(self, desk):
        self.desk, self.read = desk, 0
        self.core = Engine(dialogs=load_dialogs(BUILT_IN), staff=Staff(TEAM, None), partitions=1)
        self.core.clock = ManualClock(NOW)

    async def hears(self, provider, *frames, **sign):
        """What providers say goes to the core; of RetailCRM, whom we ask, without HTTP."""
        for frame in frames:
            if provider == "retailcrm":
                found = retailcrm.events(frame, CRM, Place("retailcrm", "crm", self.core.clock.now()))
                await self.desk.intake.publish([self.desk.courier.record(event) for event in found.events])
            else:
                self.desk.clock.advance(self.core.clock.now() - self.desk.clock.now())
                await self.desk.tell(provider, frame, at=self.core.clock.now(), **sign)
        self.pass_on()

    def pass_on(self):
        for record in self.desk.sink.records[self.read :]:
            if record.topic in (CHAT.name, CLICKSTREAM.name):
                self.core.record(record.topic, record.key.decode(), record.value)
        self.read = len(self.desk.sink.records)
        assert self.core.dead == []

    @property
    def alerts(self):
        return [trigger for trigger in self.core.triggers if trigger.alert.watch is Watch.SILENT_CLIENT]


@pytest.fixture
def sales(desk):
    return Sales(desk)


def frames(provider):
    return RETAILCRM if provider == "retailcrm" else EXAMPLES[provider].frames


every_provider = pytest.mark.parametrize("provider", sorted(MANAGERS))


@every_provider
async def test_a_client_who_stays_silent_after_the_managers_answer_brings_him_back_once(sales, provider):
    said = frames(provider)
    await sales.hears(provider, said["client"], said["manager"])
    sales.core.wait(28 * MINUTE)
    assert sales.alerts == []
    sales.core.wait(3 * MINUTE)
    (trigger,) = [trigger for trigger in sales.alerts if trigger.alert.level == 0]
    alert = trigger.alert
    assert (alert.provider, alert.manager) == (provider, MANAGERS[provider])
    assert trigger.addresses == {"email": "ivan@shop.example" if MANAGERS[provider] else "sales@shop.example"}
    assert [word.text for word in alert.words] == _words(provider)
    assert alert.who == ("Анна К." if provider == "telegram" else "" if provider == "vk" else "Анна")


def _words(provider):
    said = {
        "telegram": ["А диван ещё есть?", "Да, последний. Отложить?"],
        "whatsapp": ["Здравствуйте! Есть 42 размер?", "Есть, отложить?"],
        "vk": ["Добрый день, сколько стоит доставка?", "300 рублей"],
        "chatwoot": ["Есть ли рассрочка?", "Да, на 6 месяцев"],
        "retailcrm": ["Когда привезёте?", "Завтра"],
    }
    return said[provider]


@every_provider
async def test_a_frame_that_comes_again_after_days_brings_nobody_back_again(sales, provider):
    said = frames(provider)
    await sales.hears(provider, said["client"], said["manager"])
    sales.core.wait(2 * DAY)
    before = len(sales.core.triggers)
    sales.desk.intake._recent.clear()  # a day has gone by: Redis has forgotten it too
    await sales.hears(provider, said["client"], said["manager"])
    sales.core.wait(2 * DAY)
    assert len(sales.desk.said) == 4
    assert len(sales.core.triggers) == before


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("telegram", "bot"),
        ("telegram", "greeting"),
        ("vk", "bot"),
        ("chatwoot", "bot"),
        ("chatwoot", "greeting"),
        ("chatwoot", "system"),
        ("retailcrm", "bot"),
    ],
)
async def test_a_bot_a_greeting_or_a_system_line_is_no_answer(sales, provider, name):
    said = frames(provider)
    await sales.hears(provider, said["client"], said[name])
    sales.core.wait(DAY)
    assert sales.alerts == []
    assert "first_response" in sales.core.fired


@pytest.mark.parametrize(("provider", "name"), [("chatwoot", "close"), ("retailcrm", "close")])
async def test_a_closed_dialog_alerts_nobody(sales, provider, name):
    said = frames(provider)
    await sales.hears(provider, said["client"], said["manager"], said[name])
    assert sales.core.board == {}
    sales.core.wait(DAY)
    assert sales.core.triggers == []


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_nothing_that_a_stranger_sends_opens_closes_or_alerts(sales, provider):
    said = frames(provider)
    for secret in ("", "a guess of the secret"):
        await sales.hears(provider, *said.values(), secret=secret)
    assert (sales.core.board, sales.desk.sink.records) == ({}, [])
    await sales.hears(provider, said["client"], said["manager"])
    row, *others = sales.core.board.values()
    await sales.hears(provider, *said.values(), secret="a guess of the secret")
    assert (list(sales.core.board.values()), others) == ([row], [])
    assert row.status is DialogStatus.OPEN


async def test_the_answer_of_the_client_ends_the_alert(sales):
    await sales.hears("telegram", TELEGRAM["client"], TELEGRAM["manager"])
    sales.core.wait(31 * MINUTE)
    assert len(sales.alerts) == 1
    answer = EXAMPLES["telegram"].message("Да, отложите!", 1)
    answer["business_message"]["date"] = int(sales.core.clock.now())
    await sales.hears("telegram", answer)
    update = sales.core.updates[-1]
    assert (update.state, update.reason) == (AlertState.RESOLVED, Reason.ENDED_BY_ANSWER)


async def test_an_edit_of_the_clients_old_words_is_no_answer(sales):
    await sales.hears("telegram", TELEGRAM["client"])
    later = {**TELEGRAM["manager"]["business_message"], "date": int(NOW)}
    await sales.hears("telegram", {"update_id": 3, "business_message": later}, TELEGRAM["edited"])
    sales.core.wait(31 * MINUTE)
    (trigger,) = sales.alerts
    assert trigger.alert.words[0].text == "А диван синий ещё есть?"


async def test_an_assigned_dialog_is_its_managers_on_the_board(sales):
    nobody = cw_event("conversation_updated", meta={**CHATWOOT["assigned"]["meta"], "assignee": None}, updated_at=NOW)
    await sales.hears("chatwoot", CHATWOOT["client"], CHATWOOT["assigned"])
    (row,) = sales.core.board.values()
    assert (row.manager, row.manager_name, row.member, row.tags) == ("7", "Иван", "ivan", ["диваны"])
    await sales.hears("chatwoot", nobody)
    (row,) = sales.core.board.values()
    assert (row.manager, row.member) == ("", "")


async def test_a_live_chat_is_the_visitors_own_dialog_beside_his_cart(sales):
    cart = {
        "type": "track",
        "event": "Product Added",
        "userId": "u42",
        "properties": {"product_id": "7", "price": 12_000},
    }
    await sales.desk.post("/v1/track", cart)
    for event in ("Sent", "Received"):
        await sales.desk.post(
            "/v1/track", live_chat(f"Live Chat Message {event}", message_body=event, message_id=event)
        )
    sales.pass_on()
    sales.core.wait(11 * MINUTE)  # a cart of 10,000 or more: after ten minutes
    (trigger,) = sales.alerts
    assert (trigger.customer, trigger.alert.value) == ("u42", 12_000.0)
    assert [word.text for word in trigger.alert.words] == ["Sent", "Received"]
