"""What must hold of dialogs whatever clients and managers do: one episode, one alert, against a slow and simple reference."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.dialogs.staff import Staff
from agents.scenarios.load import load_dialogs, parse_any
from app.model.alert import Watch
from app.model.chat import ChatKind, DialogStatus, Speaker
from app.model.team import Team
from tables.customer import Customer
from tables.talk import short
from tests.driver import BUILT_IN, DAY, HOUR, MINUTE, Engine

WAIT = 30 * MINUTE
STAFF = Staff(Team(addresses={"email": "sales@shop.example"}))
SILENT = parse_any(
    "id: silent\nversion: 1\ntitle: Silent\ndialog: {watch: silent_client, for: 30m}\n"
    "cascade:\n  - {channel: email, template: alert}\n"
)
QUIET = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.sampled_from(["client", "manager", "bot", "greeting", "order", "close", "page"])
PAUSES = st.sampled_from([1.0, 10 * MINUTE, 29 * MINUTE, 31 * MINUTE, 2 * HOUR])
HISTORIES = st.lists(st.tuples(WORDS, PAUSES), max_size=25)


def say(shop, word, number, at=None):
    """One action; the same number is the same event."""
    more = {"key": "u1", "id": f"e{number}", "at": at}
    if word == "client":
        shop.asks(message_id=f"m{number}", **more)
    elif word in ("manager", "greeting"):
        shop.answers(automatic=word == "greeting", **more)
    elif word == "bot":
        shop.chat(ChatKind.MESSAGE, speaker=Speaker.BOT, **more)
    elif word == "close":
        shop.chat(ChatKind.CLOSED, **more)
    elif word == "order":
        shop.event("Order Completed", order_id=f"o{number}", id=f"e{number}", at=at)
    else:
        shop.event("", type="page", id=f"e{number}", at=at)


class Reference:
    """The silent client, told as simply as it can be."""

    def __init__(self):
        self.known = self.closed = self.over = False
        self.armed = None
        self.alerts = []

    def until(self, now):
        if self.armed is not None and self.armed + WAIT <= now:
            self.alerts.append(self.armed + WAIT)
            self.armed, self.over = None, True

    def happens(self, word, now):
        self.until(now)
        if word == "client":
            self.known, self.closed, self.over, self.armed = True, False, False, None
        elif word == "manager":
            self.known = True
            if not self.over and not self.closed:
                self.armed = now
        elif word in ("bot", "greeting"):
            self.known = True
        elif word == "order" and self.known and not self.closed:
            self.over, self.armed = True, None
        elif word == "close" and self.known:
            self.closed, self.over, self.armed = True, True, None


@QUIET
@given(HISTORIES)
def test_a_silence_has_its_one_alert_at_its_moment(history):
    shop, reference = Engine([], dialogs=[SILENT], staff=STAFF), Reference()
    for number, (word, pause) in enumerate(history):
        reference.happens(word, shop.clock.now())
        say(shop, word, number)
        shop.wait(pause)
        reference.until(shop.clock.now())
        shop.clock.advance(0.5)
    reference.until(shop.clock.now() + WAIT)
    shop.wait(WAIT)
    assert [trigger.due for trigger in shop.triggers] == reference.alerts
    assert shop.dead == []


@QUIET
@given(HISTORIES, st.randoms(use_true_random=False))
def test_repeated_and_late_records_never_make_a_second_alert_of_an_episode(history, chance):
    """All scenarios, events up to an hour late, some of them twice: of one watch and episode there is one alert."""
    shop = Engine(dialogs=load_dialogs(BUILT_IN), staff=STAFF)
    for number, (word, pause) in enumerate(history):
        at = shop.clock.now() - chance.choice([0.0, 0.0, 5.0, HOUR])
        for _ in range(chance.choice([1, 1, 2])):
            say(shop, word, number, at)
        shop.wait(pause)
        shop.clock.advance(0.5)
    shop.wait(DAY)
    first = [trigger for trigger in shop.triggers if trigger.alert.level == 0]
    episodes = [(trigger.alert.watch, trigger.anchor) for trigger in first]
    assert len(set(episodes)) == len(episodes)
    assert len({trigger.trigger_id for trigger in shop.triggers}) == len(shop.triggers)
    assert shop.dead == []


@QUIET
@given(HISTORIES, st.integers(0, 24), st.booleans())
def test_a_customer_of_two_keys_gets_the_alerts_of_one(history, joined, by_phone):
    """The dialog begins in a messenger, the orders are a user's, and somewhere in between they turn out to be one."""
    shop = Engine([], dialogs=[SILENT], staff=STAFF)
    shop.identify("u1", phone="+15550001")
    for number, (word, pause) in enumerate(history):
        phone = {"phone": "+15550001"} if number >= joined and by_phone else {}
        user = {"user_id": "u1"} if number >= joined and not by_phone else {}
        if word in ("client", "manager"):
            speaker = Speaker(word)
            shop.chat(ChatKind.MESSAGE, speaker=speaker, id=f"e{number}", message_id=f"m{number}", **phone, **user)
        elif word in ("order", "page"):
            say(shop, word, number)
        shop.wait(pause)
        shop.clock.advance(0.5)
    shop.wait(DAY)
    anchors = [trigger.anchor for trigger in shop.triggers]
    assert len(set(anchors)) == len(anchors)
    assert shop.dead == []


@QUIET
@given(st.lists(st.tuples(st.sampled_from(list(DialogStatus)), PAUSES), max_size=12))
def test_the_clients_wait_is_what_the_clock_ran(changes):
    """The first response counts exactly the time in which the dialog was open."""
    shop = Engine([], staff=STAFF)
    shop.asks(key="u1")
    status, ran = DialogStatus.OPEN, 0.0
    for number, (new, pause) in enumerate(changes):
        if new is DialogStatus.RESOLVED:
            continue
        shop.clock.advance(pause)
        ran += pause if status is DialogStatus.OPEN else 0.0
        shop.chat(ChatKind.STATUS, status=new, key="u1", id=f"s{number}")
        status = new
    shop.answers(key="u1")
    assert shop.board["telegram:shop:d1"].first_response == ran


@given(st.text(max_size=2_000))
def test_what_state_keeps_of_a_text_is_short_whatever_it_is_made_of(text):
    kept = short(text)
    assert len(kept) <= 160
    assert len(kept.encode()) <= 320


def test_a_dialog_with_everything_in_it_is_small():
    shop = Engine(dialogs=load_dialogs(BUILT_IN), staff=STAFF)
    for number in range(4):
        shop.asks(
            "😀" * 500,
            name="Olga Ivanova",
            message_id=f"wamid.{number:060}",
            tags=["vip", "sofas"],
            url="https://x.example/" + "c" * 60,
        )
        shop.wait(MINUTE)
        shop.answers("Здравствуйте! " * 50, manager_name="Anna Petrova")
    shop.wait(HOUR)
    customer = shop.customer("dialog:telegram:shop:c1")
    assert isinstance(customer, Customer)
    assert customer.dialogs[0].alert.watch is Watch.SILENT_CLIENT
    assert len(msgspec.msgpack.encode(customer)) <= 1_500
