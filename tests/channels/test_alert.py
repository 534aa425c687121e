"""What an alert says, and that no text of others becomes markup in any channel."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.model.alert import Alert, AlertState, Watch, Word
from app.model.chat import Speaker
from app.model.event import Line
from app.model.reasons import Reason
from channels import mattermost, slack, telegram, webhook
from channels.alert import SIZES, card, cut, span
from channels.render import Templates
from tests.channels.alerts import BOARD, ID, NOW, alert, rendered, trigger, update

NASTY = [
    "<b>bold</b>", "</a><script>alert(1)</script>", "&lt;&amp;", "<!channel> <@U123> <https://evil.example|click>", "@all @channel",
    "*bold* _it_ ~no~ `code` ```x```", "[click](https://evil.example) ![x](https://evil.example/x.png)", "# head\n> quote\n- item",
    "\u202egnp.exe", "\x00\x07\x1b[31m", "\ud800", "🛋️👩‍👩‍👧‍👦", "مرحبا هل الأريكة متوفرة؟", "שלום", "a" * 100_000, "🛋" * 50_000, "&" * 100_000, "{{ 7*7 }}{% x %}",
]  # fmt: skip
TEMPLATES = Templates()
hostile = st.one_of(st.sampled_from(NASTY), st.text(max_size=400))


def full(**changes):
    return card(trigger(alert(**changes)), "en", NOW, BOARD, change=None, ref="", size=SIZES[0])


def test_a_card_of_a_journey_says_its_text_and_the_phone_and_has_neither_buttons_nor_a_row_on_the_board():
    told = Alert(ID, None, "", "", NOW - 60, who="Anna", title="Please <b>call</b>", phone="+79990000001", orders=2)
    made = card(trigger(told), "en", NOW, BOARD, change=None, ref="", size=SIZES[0])
    assert (made.title, made.buttons, made.board) == ("Anna: Please <b>call</b>", (), "")
    assert made.facts[0] == ("Phone", "+79990000001")
    russian = card(trigger(told), "ru", NOW, BOARD, change=None, ref="", size=SIZES[0])
    assert russian.facts[0] == ("Телефон", "+79990000001")
    body = telegram._request("1", [rendered(told)])[1]
    assert "Please &lt;b&gt;call&lt;/b&gt;" in body["text"] and "Take" not in str(body)
    assert "Take" in str(telegram._request("1", [rendered()])[1])


def test_a_card_tells_who_how_long_the_last_words_the_cart_and_the_rest():
    made = full(views=[Line("9", "Rug")], tags=["vip"], level=1, note="Sofa", returned_at=NOW)
    assert made.title == "Anna has been silent for 31 min" and made.note == "On the site again, looking at Sofa"
    assert full(returned_at=NOW).note == "On the site again"
    assert made.words == (("Client", "Is it in stock?"), ("Manager", "It is."))
    assert made.facts == (
        ("Cart", "Sofa × 2, Lamp · €520"),
        ("On the site", "10 min ago"),
        ("Looked at", "Rug"),
        ("Searched for", "“green sofa”"),
        ("Orders", "3, €900 in all"),
        ("Manager", "Maria"),
        ("Tags", "vip"),
        ("Escalated", "× 1"),
    )
    assert (made.url, made.board) == ("https://desk.example/dialogs/1", f"{BOARD}/dialogs#{ID}")
    assert [label for _, label in made.buttons] == ["Take", "Snooze 1 h", "Not relevant"] and made.head.startswith("💬")
    assert full(priority=3).head.startswith("🔥")


def test_it_speaks_russian():
    made = card(trigger(), "ru", NOW, BOARD, change=None, ref="", size=SIZES[0])
    assert made.title == "Anna: нет ответа 31 мин" and made.facts[0] == ("Корзина", "Sofa × 2, Lamp · 520 €")
    assert [label for _, label in made.buttons] == ["Взять", "Отложить на 1 ч", "Неактуально"]


@pytest.mark.parametrize("locale", ["en", "ru"])
@pytest.mark.parametrize("watch", Watch)
def test_every_watch_has_its_title(locale, watch):
    shown = alert()
    shown.watch = watch
    assert "Anna" in card(trigger(shown), locale, NOW, "", change=None, ref="", size=SIZES[0]).title


@pytest.mark.parametrize(
    ("state", "reason", "changes", "told"),
    [
        (AlertState.RESOLVED, Reason.ENDED_BY_ORDER, {}, "Resolved: the client has ordered"),
        (AlertState.RESOLVED, Reason.ENDED_BY_ANSWER, {"by_name": "Maria"}, "Resolved: the client has answered"),
        (AlertState.RESOLVED, "a_reason_of_tomorrow", {"by": "maria"}, "Resolved: maria"),
        (AlertState.TAKEN, Reason.TAKEN, {"by_name": "Maria"}, "Taken: Maria"),
        (AlertState.SNOOZED, Reason.SNOOZED, {"by_name": "Maria", "until": NOW + 3605}, "Snoozed for 1 h: Maria"),
        (AlertState.DISMISSED, Reason.DISMISSED, {}, "Not relevant"),
        (AlertState.OPEN, Reason.SNOOZE_OVER, {"by_name": "Maria"}, "Open again"),
        (AlertState.OPEN, Reason.CLIENT_RETURNED, {}, ""),
    ],
)
def test_a_change_says_what_has_become_of_it(state, reason, changes, told):
    change = update(state, reason, **changes)
    made = card(trigger(), "en", NOW, "", change=change, ref="1:2", size=SIZES[0])
    assert made.status == told and made.changed and (made.buttons == ()) == change.ends


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "1 min"), (119, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90_000, "1 d 1 h"), (9e6, "104 d")],
)
def test_lengths_of_time_are_told_as_people_do(seconds, told):
    assert span(seconds, "en") == told


@given(hostile, st.integers(1, 300))
def test_a_text_is_cut_to_one_clean_line_of_bounded_length(text, most):
    made = cut(text, most)
    assert (
        len(made) <= most + 2
        and made == made.strip()
        and not re.search("[\x00-\x1f\x7f\u2028\u202a-\u202e\ud800-\udfff]", made)
    )
    made.encode()


def test_a_text_of_another_direction_is_isolated():
    assert cut("שלום", 10) == "\u2068שלום\u2069" and cut("hello", 10) == "hello"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, tuple(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def everywhere(text):
    return alert(
        who=text, manager_name=text, note=text, tags=[text] * 8, searches=[text] * 5, url=text,
        words=[Word(Speaker.CLIENT, NOW, text), Word(Speaker.MANAGER, NOW, text)], cart=[Line(text, text, 1.0)] * 4, views=[Line(text, text)],
    )  # fmt: skip


every_text = [example(text=text) for text in NASTY]


def with_all(test):
    for one in every_text:
        test = one(test)
    return settings(max_examples=30, deadline=None)(given(text=hostile)(test))


@with_all
def test_in_telegram_nothing_is_a_tag_but_ours_and_it_fits(text):
    message = rendered(everywhere(text))
    _, body = telegram._request("1", [message])
    seen = Tags(body["text"])
    assert {tag for tag, _ in seen.tags} <= {"b", "i", "a"} and all(
        not attributes for tag, attributes in seen.tags if tag != "a"
    )
    assert telegram.visible(body["text"]) <= 4096 and len(seen.text.encode("utf-16-le")) // 2 == telegram.visible(
        body["text"]
    )
    digest = telegram._request("1", [message] * 24)[1]
    assert {tag for tag, _ in Tags(digest["text"]).tags} <= {"b", "a"} and telegram.visible(digest["text"]) <= 4096
    for row in body["reply_markup"]["inline_keyboard"]:
        assert all(len(button.get("callback_data", "").encode()) <= 64 for button in row)


@with_all
def test_in_slack_nothing_is_a_mention_or_a_link_but_ours_and_it_fits(text):
    message = rendered(everywhere(text))
    for body in (slack.body([message]), slack.body([message] * 30)):
        assert len(body["blocks"]) <= 50 and "<" not in body["text"]
        for block in body["blocks"]:
            assert 0 < len(block["text"]["text"]) <= 3000
            if block["text"]["type"] == "mrkdwn":
                links = re.findall(r"<([^>]*)>", block["text"]["text"])
                assert all(link.startswith(f"{BOARD}/dialogs#{ID}|") for link in links)
                assert not re.search(r"<[!@#]", block["text"]["text"])


@with_all
def test_in_mattermost_nothing_is_markup_but_ours_and_it_fits(text):
    message = rendered(everywhere(text))
    made = mattermost.body([message])["text"]
    assert len(made) <= mattermost.MOST_TEXT or len(made) <= 16_000, "what servers take"
    assert not re.search(r"@(all|channel|here)", made)
    addresses = re.findall(r"(?<!\\)\]\(([^)]*)\)", made)
    assert set(addresses) <= {f"{BOARD}/dialogs#{ID}"}
    assert not re.search(r"(?<!\\)!\[", made) and "<script" not in made.replace("\\<", "")


@with_all
def test_as_a_mail_it_is_escaped_and_bounded(text):
    message = rendered(everywhere(text))
    texts = TEMPLATES.render("alert", trigger(everywhere(text)), "", message.cards[0])
    assert "<script" not in texts.html.lower() and len(texts.html) < 64_000 and "\n" not in texts.subject


@with_all
def test_in_the_webhook_texts_are_values(text):
    assert webhook.body(rendered(everywhere(text)))["type"] == "alert.opened"
