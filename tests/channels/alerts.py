"""Alerts to be spoken in tests, as the sender hands them to a channel."""

from app.model.alert import Alert, AlertState, AlertUpdate, Watch, Word
from app.model.chat import Speaker
from app.model.event import Line
from app.model.trigger import Content, Stage, Trigger
from channels.alert import SIZES, card
from channels.channel import Rendered

NOW = 1_700_000_000.0
BOARD = "https://console.shop.example"
ID = "0123456789abcdef" * 2


def alert(alert_id=ID, **changes):
    values = {
        "who": "Anna",
        "manager_name": "Maria",
        "url": "https://desk.example/dialogs/1",
        "words": [Word(Speaker.CLIENT, NOW, "Is it in stock?"), Word(Speaker.MANAGER, NOW, "It is.")],
        "cart": [Line("1", "Sofa", 250.0, 2), Line("2", "Lamp", 20.0)],
        "value": 520.0,
        "currency": "EUR",
        "searches": ["green sofa"],
        "orders": 3,
        "orders_total": 900.0,
        "last_seen": NOW - 600,
        **changes,
    }
    return Alert(alert_id, Watch.SILENT_CLIENT, "telegram:shop:1", "telegram", NOW - 1860, **values)


def trigger(shown=None, trigger_id="ab12", channel="telegram", address="-100200300", **changes):
    shown = shown or alert()
    values = {"locale": "en", "marketing": False, "alert": shown, "expires_at": NOW + 3600, **changes}
    cascade = [Stage(channel, "alert")]
    return Trigger(
        trigger_id=trigger_id,
        scenario="abandoned_dialog",
        version=1,
        customer="anna",
        anchor="m-1",
        due=NOW,
        fired_at=NOW,
        cascade=cascade,
        addresses={channel: address},
        content=Content(),
        **values,
    )


def update(state=AlertState.RESOLVED, reason="ended_by_order", trigger_id="ab12", at=NOW + 5, shown=None, **changes):
    return AlertUpdate(trigger_id, "anna", ID, state, reason, at, alert=shown or alert(), **changes)


def rendered(shown=None, address="-100200300", change=None, ref="", locale="en", number=0, text="plain"):
    made = trigger(shown, locale=locale)
    cards = tuple(card(made, locale, NOW, BOARD, change=change, ref=ref, size=size) for size in SIZES)
    id_ = f"ab{number:02}.0"
    return Rendered(
        id_, id_[:-2], "abandoned_dialog", address, "", "subject", text, "<p>html</p>", "", NOW, cards, locale
    )
