"""Whatever a stranger writes into an event: the mail that follows is one mail, to one person, with links into the shop only."""

from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import SYSTEM
from app.topics import CLICKSTREAM
from app.web.collector.links import OwnHosts
from app.web.collector.normalise import Envelope, normalise
from app.web.collector.refusal import Refused
from channels.channel import Rendered
from channels.email import Email
from channels.render import Templates
from tests.driver import HOUR, Engine

SHOP = "https://shop.example"
UNSUBSCRIBE = "https://events.shop.example/u/token"
HOSTS = OwnHosts([SHOP])
TEMPLATES = Templates(shop_url=SHOP)
EMAIL = Email(
    smtp="smtp+plain://127.0.0.1:1",
    connections=1,
    timeout=1.0,
    sender="Shop <shop@shop.example>",
    monotonic=SYSTEM.monotonic,
)
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "X-Boomerang-Scenario",
    "X-Boomerang-Trigger", "Auto-Submitted", "MIME-Version", "Content-Type",
]  # fmt: skip
NASTY = st.sampled_from(
    [
        "{{7*7}}", "{% include 'x' %}", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\r\nBcc: x@evil.example",
        "\r\n.\r\nMAIL FROM:<x@y>", "\u202egnp.exe", "\u200b\u200d\ufeff", "\u2028Bcc: x", "=?utf-8?Q?=0d=0aBcc:x?=", "\0", "a" * 9_000,
        "e\u0301" * 300, "\U0001f600" * 300, "<a href='https://evil.example'>x</a>", "]]>", "--=_", ".", "", " ", "&lt;b&gt;",
    ]
)  # fmt: skip
WORDS = NASTY | st.text(max_size=60)
ADDRESSES = WORDS | st.sampled_from(
    [
        "javascript:alert(1)", " javascript:alert(1)", "https://evil.example/", "//evil.example", "https://shop.example@evil.example/",
        'https://shop.example/"onclick=x', "https://shop.example/ x", "data:text/html,x", "https://evil.example\\@shop.example/",
        "https://shop.example/p?a=1&b=<2>", "/p/1", "HTTPS://EVIL.example", "https://evil.example\u2024shop.example/",
    ]
)  # fmt: skip
PRODUCTS = st.fixed_dictionaries(
    {"product_id": WORDS, "name": WORDS, "category": WORDS, "brand": WORDS, "url": ADDRESSES, "image_url": ADDRESSES},
    optional={"price": st.floats() | st.just("1e308"), "quantity": st.floats() | st.integers(), "currency": WORDS},
)


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.found, self.values = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            assert not name.startswith("on")
            if name in ("href", "src"):
                self.found.append(value)


def accepted(shop, raw, source):
    """Through the collector's rules into the core, if they let it pass."""
    try:
        told = normalise(raw, "", Envelope(shop.clock.now(), source, hosts=HOSTS))
    except Refused:
        return
    shop.record(CLICKSTREAM.name, told.customer, told.value)


@given(st.sampled_from(["Product Added", "Product Viewed", "Products Searched"]), PRODUCTS, WORDS, WORDS)
@settings(max_examples=200, deadline=None)
def test_no_text_of_a_stranger_escapes_from_its_place_in_the_mail(event, product, name, query):
    shop = Engine(partitions=1)
    shop.subscriber()
    accepted(shop, {"type": "identify", "userId": "u1", "traits": {"first_name": name, "name": name}}, "browser")
    properties = {"query": query, **product}
    accepted(shop, {"type": "track", "event": event, "userId": "u1", "properties": properties}, "browser")
    shop.wait(5 * HOUR)
    assert shop.dead == []
    for trigger in shop.triggers:
        check(trigger)


def check(trigger):
    for locale in ("en", "ru"):
        trigger.locale = locale
        texts = TEMPLATES.render(trigger.scenario, trigger, UNSUBSCRIBE)
        links = Links(texts.html)
        assert not links.tags & {"script", "iframe", "form", "b", "object"}
        assert all(link == UNSUBSCRIBE or link in HOSTS for link in links.found)
        assert "\u202e" not in texts.html + texts.text + texts.subject
        raw = EMAIL.prepare(
            Rendered(
                "m.0", trigger.trigger_id, trigger.scenario, trigger.addresses["email"], trigger.content.name,
                texts.subject, texts.text, texts.html, UNSUBSCRIBE, 1_700_000_000.0,
            )
        )  # fmt: skip
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        mail = message_from_bytes(raw, policy=default)
        assert mail.keys() == HEADERS
        assert [address.addr_spec for address in mail["to"].addresses] == ["u1@shop.example"]
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_a_mail_with_all_of_it_at_once_is_still_one_mail():
    shop = Engine(partitions=1)
    shop.subscriber()
    nasty = "{{7*7}} <script>alert(1)</script>\r\nBcc: x@evil.example \u202egnp"
    accepted(shop, {"type": "identify", "userId": "u1", "traits": {"first_name": nasty}}, "browser")
    for number in range(100):
        properties = {
            "product_id": f"{number}",
            "name": nasty,
            "url": "https://evil.example/",
            "price": 9e14,
            "quantity": 9e14,
        }
        accepted(shop, {"type": "track", "event": "Product Added", "userId": "u1", "properties": properties}, "browser")
    shop.wait(5 * HOUR)
    (trigger,) = shop.triggers
    assert len(trigger.content.items) == 10
    check(trigger)
    assert "{{7*7}}" in TEMPLATES.render(trigger.scenario, trigger, UNSUBSCRIBE).text
