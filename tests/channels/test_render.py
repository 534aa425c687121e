import re
import threading
import time
from html.parser import HTMLParser

import msgspec
import pytest
from jinja2 import DictLoader

from app.clock import SYSTEM, ManualClock
from app.model.event import Line
from app.model.trigger import Content
from channels import formats
from channels.beside import Beside
from channels.examples import EXAMPLE, check_templates
from channels.render import LOCALES, MOST_OUTPUT, NAMES, RenderError, RenderTooSlowError, Templates
from channels.render import TEMPLATES as TEMPLATE_FOLDER
from channels.rendering import REST, Rendering
from channels.sandbox import Sandbox
from tests.agents.ledger_table import trigger

TEMPLATES = Templates(shop_url="https://shop.example")
UNSUBSCRIBE = "https://c.example/u/token"


def render(template="abandoned_cart", locale="en", **content):
    values = {
        "name": "Anna",
        "items": [Line("1", "Red shoes", 60.25, 2, url="https://shop.example/1")],
        "value": 120.5,
        "currency": "EUR",
    }
    return TEMPLATES.render(template, trigger(locale=locale, content=Content(**{**values, **content})), UNSUBSCRIBE)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links, self.images = [], set(), [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        values = dict(attributes)
        if tag == "a":
            self.links.append(values["href"])
        if tag == "img":
            self.images.append(values["src"])
            assert "alt" in values
        assert not any(name.startswith("on") for name in values)
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_all_templates_are_fine():
    assert check_templates() == []


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", NAMES)
def test_each_mail_is_whole_with_everything_and_with_nothing(name, locale):
    full = render(
        name,
        locale,
        similar=[Line("2", "Blue", 5.0, image_url="https://i.example/2.jpg")],
        category="Shoes",
        query="red",
        results=3,
    )
    bare = TEMPLATES.render(name, trigger(locale=locale, content=Content()), "")
    for texts in (full, bare):
        assert texts.subject and "\n" not in texts.subject
        tags = Tags(texts.html)
        assert not tags.seen & {"script", "iframe", "form", "object", "link"}
        assert f'<html lang="{locale}"' in texts.html and "max-width:600px" in texts.html
        assert "{{" not in texts.html + texts.text and "None" not in texts.html + texts.text and "  <" not in texts.text
    assert UNSUBSCRIBE in Tags(full.html).links and UNSUBSCRIBE in full.text
    assert UNSUBSCRIBE not in bare.html + bare.text
    assert "Blue" in full.html and "https://i.example/2.jpg" in Tags(full.html).images
    assert "https://shop.example/1" in Tags(full.html).links and "https://shop.example/1" in full.text


@pytest.mark.parametrize("shop_url", ["http://127.0.0.1:8002", "http://localhost:8002", "http://[::1]:8002"])
@pytest.mark.parametrize("locale", LOCALES)
def test_a_shop_without_a_name_of_its_own_is_not_called_by_a_number(shop_url, locale):
    example = msgspec.structs.replace(EXAMPLE, locale=locale)
    texts = Templates(shop_url=shop_url).render("abandoned_cart", example, "https://shop.example/u/token")
    seen = re.sub(r"<style.*?</style>|<[^>]*>", " ", texts.html, flags=re.DOTALL)
    assert not re.search(r"127\.0\.0\.1|localhost|::1", seen)
    assert f"--\n{shop_url}\n" in texts.text
    assert formats.web(f"{shop_url}/lamp.svg") == f"{shop_url}/lamp.svg"
    assert "shop.example" in Templates(shop_url="https://shop.example").render("abandoned_cart", example, "").text


@pytest.mark.parametrize(
    ("count", "subject"),
    [(1, "1 товар "), (2, "2 товара "), (5, "5 товаров "), (11, "11 товаров "), (21, "21 товар "), (22, "22 товара ")],
)
def test_russian_counts_have_their_form(count, subject):
    assert subject in render(locale="ru-RU", items=[Line(str(n), "x", 1.0) for n in range(count)]).subject


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ru", "ru"), ("ru-RU", "ru"), ("RU_ru", "ru"), ("en-GB", "en"), ("de", "en"), ("", "en"), ("../ru", "en")],
)
def test_the_language_is_the_customers_or_the_shops(locale, language):
    assert f'lang="{language}"' in render(locale=locale).html


@pytest.mark.parametrize(
    ("value", "currency", "english", "russian"),
    [
        (1234.5, "EUR", "€1,234.50", "1\u202f234,50\u00a0€"),
        (1234, "RUB", "₽1,234", "1\u202f234\u00a0₽"),
        (0.5, "usd", "$0.50", "0,50\u00a0$"),
        (10, "SEK", "10\u00a0SEK", "10\u00a0SEK"),
        (10, "", "10", "10"),
        (10, "<b>", "10", "10"),
        (10, "BYN", "10\u00a0Br", "10\u00a0Br"),
    ],
)
def test_money_is_written_as_the_language_writes_it(value, currency, english, russian):
    assert formats.money(value, currency, "en") == english
    assert formats.money(value, currency, "ru") == russian


URLS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "//evil.example",
    "/\\evil.example",
    "ftp://x.example",
    "https://",
    "http://\x00x",
    'https://x.example/"onclick=1',
    "https://x.example/ y",
    "https://x.example/\n",
    "https://user@evil.example/",
    "https:/x.example",
    " https://x.example",
    "https://x.example/<b>",
    "file:///etc/passwd",
    "https://[",
    "h" * 3000,
    "https://x.example/" + "y" * 3000,
]


@pytest.mark.parametrize("url", URLS, ids=lambda url: ascii(url)[:30])
def test_only_addresses_of_web_pages_become_links(url):
    texts = render(items=[Line("1", "Shoes", 1.0, url=url, image_url=url)])
    tags = Tags(texts.html)
    assert set(tags.links) <= {"https://shop.example", UNSUBSCRIBE} and not tags.images
    assert f"{url}\n" not in texts.text


def test_a_path_of_the_shop_is_made_whole():
    assert "https://shop.example/p/1" in Tags(render(items=[Line("1", "x", 1.0, url="/p/1")]).html).links


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "{% raw %}",
    "a\r\nBcc: x@y.example",
    "</title><b>",
    "\u202eevil",
    "x" * 500,
]


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:20])
def test_content_is_shown_and_never_run(text):
    texts = render("abandoned_search", name=text, query=text, items=[Line("1", text, 1.0, brand=text)])
    tags = Tags(texts.html)
    assert not tags.seen & {"script", "b"} and not tags.images
    assert "49" not in texts.html and "\n" not in texts.subject and "\r" not in texts.text
    assert "\nBcc" not in texts.text and "\u202e" not in texts.subject


PAYLOADS = [
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 2 ** 100000 }}",
    "{{ 9**9**9 }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(1000000000) %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}{% endfor %}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{{ 'a' ~ 'b' }}",
    "{% set x = 'aaaaaaaaaaaaaaaa' %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%s' % name }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a'.ljust(10) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{0.__class__}'.format(name) }}",
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ name.__class__ }}",
    "{{ name['__class__'] }}",
    "{{ items.__class__ }}",
    "{{ items.append(1) }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ loop }}",
    "{% for i in items %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in items %}{{ loop.cycle('a') }}{% endfor %}",
    "{% for i in items recursive %}{{ loop(items) }}{% endfor %}",
    "{{ range.__self__ }}",
    "{{ range(1, 10**6) }}",
    "{{ lipsum }}",
    "{{ cycler }}",
    "{{ joiner }}",
    "{{ namespace() }}",
    "{{ dict }}",
    "{{ config }}",
    "{{ undefined_name }}",
    "{{ undefined_name.x }}",
    "{% include '../../../etc/passwd' %}",
    "{% include name %}",
    "{% extends name %}",
    "{% import name as x %}",
    "{{ name|attr('__class__') }}",
    "{{ name|format(1) }}",
    "{{ items|map('upper') }}",
    "{{ name|safe }}",
    "{{ items|join('x') }}",
    "{{ 'a'|replace('a', 'b') }}",
    "{{ 'a'|indent(1000000000) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ name|tojson }}",
    "{{ items|pprint }}",
    "{% filter upper %}x{% endfilter %}",
    "{% for c in name %}{{ c }}{% endfor %}",
    "{{ caller() }}",
    "{{ 1/0 }}",
    "{{ 10**400 }}",
    "{{ 999999999999999 * 999999999999999 * 999999999999999 }}",
    "{% set x %}{{ name }}{% endset %}",
    "{% do x %}",
    "{% autoescape false %}{{ name }}{% endautoescape %}",
    "{{ '\\u0000'.encode() }}",
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload[:40])
def test_a_hostile_template_fails_soon_and_alone(payload, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOMERANG_SECRET", "canary-in-the-environment")
    for locale in LOCALES:
        (tmp_path / locale).mkdir()
        for part in ("subject.txt", "txt", "html"):
            (tmp_path / locale / f"evil.{part}.j2").write_text("fine" if part != "html" else payload)
    began = time.process_time()
    with pytest.raises(RenderError) as caught:
        Templates(tmp_path).render("evil", msgspec.structs.replace(EXAMPLE), UNSUBSCRIBE)
    assert time.process_time() - began < 1.0 and "canary" not in str(caught.value)


def test_a_mail_of_half_a_megabyte_is_the_limit(tmp_path):
    (tmp_path / "en").mkdir()
    for part in ("subject.txt", "txt", "html"):
        (tmp_path / "en" / f"big.{part}.j2").write_text(
            "{% for i in range(600) %}" + "x" * 1000 + "{% endfor %}" if part == "html" else "x"
        )
    with pytest.raises(RenderError, match=str(MOST_OUTPUT)):
        Templates(tmp_path).render("big", EXAMPLE, "")


def test_the_environment_offers_this_and_no_more():
    sandbox = Sandbox(DictLoader({}))
    assert sorted(sandbox.filters) == [
        "bounded",
        "default",
        "e",
        "escape",
        "first",
        "last",
        "length",
        "plural",
        "round",
        "trim",
        "upper",
    ]
    assert sorted(sandbox.globals) == ["range"]
    assert sorted(sandbox.tests) == ["defined", "divisibleby", "even", "none", "odd", "undefined"]
    assert sandbox.extensions == {}


def test_a_missing_or_broken_template_is_found_before_anything_is_sent(tmp_path):
    assert len(check_templates(folders=[tmp_path])) == (len(NAMES) + 2) * len(LOCALES)
    problems = check_templates([("email", "no_such")])
    assert len(problems) == 2 and all("no_such" in problem for problem in problems)


def test_the_shop_goes_by_its_own_name():
    texts = Templates(shop_name="Lamp & Sofa").render("abandoned_cart", EXAMPLE, UNSUBSCRIBE)
    assert "agreed to hear from Lamp &amp; Sofa" in texts.html
    assert "Lamp & Sofa: " in texts.text


def test_pictures_are_not_needed():
    texts = render(items=[Line("1", "Shoes", 10.0, image_url="https://i.example/1.jpg")])
    without = re.sub(r"<img[^>]*>", "", texts.html)
    assert "Shoes" in without and "€10" in without and "Back to my cart" in without


def folder_of(tmp_path, name="evil", locales=LOCALES, **parts):
    """A folder with a template; `parts`: html, mjml, txt, subject, sms, push."""
    files = {"subject": "subject.txt", "sms": "sms.txt", "push": "push.txt"}
    for locale in locales:
        (tmp_path / locale).mkdir(exist_ok=True)
        for part, text in {"subject": "fine", "html": "fine", **parts}.items():
            if text is not None:
                (tmp_path / locale / f"{name}.{files.get(part, part)}.j2").write_text(text)
    return tmp_path


SLOW = {
    "loops of long texts": "{% set x = '<' %}"
    + "{% set x = x + x %}" * 16
    + "{% for i in range(900) %}"
    + "{% set y = x|e %}" * 30
    + "{% endfor %}",
    "comparisons": "{% for i in range(1000) %}" + "{% if name == query %}{% endif %}" * 300 + "{% endfor %}",
    "macros that call macros": "".join(
        f"{{% macro m{n}() %}}" + (f"{{{{ m{n - 1}() }}}}" * 3 if n else "x") + "{% endmacro %}" for n in range(40)
    )
    + "{{ m39() }}",
    "blocks that call blocks": "".join(
        f"{{% block b{n} %}}" + (f"{{{{ self.b{n - 1}() }}}}" * 2 if n else "x") + "{% endblock %}" for n in range(40)
    ),
    "an include of itself": "{% include 'en/evil.html.j2' %}",
    "an import in a loop": "{% for i in range(900) %}{% from 'en/evil.subject.txt.j2' import x %}{% endfor %}",
    "an import with context": "{% from 'en/evil.subject.txt.j2' import x with context %}",
    "a block in a loop": "{% for i in range(900) %}{% block b %}{% endblock %}{% endfor %}",
    "brackets": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "lists": "{{ " + "[" * 5_000 + "]" * 5_000 + " }}",
}


@pytest.mark.parametrize("what", SLOW)
def test_a_template_that_would_never_end_fails_within_its_seconds(what, tmp_path):
    folder_of(tmp_path, html=SLOW[what])
    began = time.process_time()
    with pytest.raises(RenderError):
        Templates(tmp_path, cpu=SYSTEM.cpu).render("evil", EXAMPLE, UNSUBSCRIBE, seconds=0.3)
    assert time.process_time() - began < 5.0


def test_the_seconds_are_of_cpu_and_looked_at_again_and_again(tmp_path):
    folder_of(tmp_path, html="{% for i in range(300) %}{{ i + 1 }}{% endfor %}")
    seconds = iter(range(10_000))
    with pytest.raises(RenderTooSlowError, match="takes too long"):
        Templates(tmp_path, cpu=lambda: next(seconds)).render("evil", EXAMPLE, "", seconds=2)
    assert "299" in Templates(tmp_path, cpu=lambda: 0.0).render("evil", EXAMPLE, "", seconds=50).html


@pytest.mark.parametrize("part", ["html", "mjml", "subject", "txt", "sms", "push"])
def test_a_template_of_ten_megabytes_is_refused_when_it_is_loaded(part, tmp_path):
    folder_of(tmp_path, **{"html": None, part: "x" * 10_000_000} if part == "mjml" else {part: "x" * 10_000_000})
    problems = Templates(tmp_path, TEMPLATE_FOLDER).load()
    assert len(problems) == 2 and all("larger than 128 KiB" in problem for problem in problems)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<b>no mjml</b>", "no <mjml>"),
        ("<mjml><mj-body>", "not MJML"),
        ("<mjml><mj-body><mj-include path='/etc/passwd' /></mj-body></mjml>", "not MJML"),
        ("<mjml><mj-body>" + "<mj-wrapper>" * 5_000 + "</mj-wrapper>" * 5_000 + "</mj-body></mjml>", "deeper than 200"),
        ("<mjml><mj-body><mj-section><mj-column><mj-text>" + "<b>" * 20_000, "deeper than 200"),
        ("<mjml><mj-body>J1nj4x0x</mj-body></mjml>", "our own mark"),
    ],
)
def test_mjml_that_cannot_be_compiled_is_told_when_it_is_loaded(text, told, tmp_path):
    folder_of(tmp_path, html=None, mjml=text)
    with pytest.raises(RenderError, match=told) as caught:
        Templates(tmp_path).render("evil", EXAMPLE, "")
    assert "\n" not in str(caught.value)


def test_mjml_keeps_tags_of_jinja_wherever_they_stand_and_escapes_what_they_show(tmp_path):
    source = """{% import 'parts.html.j2' as parts %}
    <mjml><mj-body>{% if count > 0 %}<mj-section css-class="{{ category }}">{% for item in items %}<mj-column>
    <mj-text>{{ item.name }}{% if 1 < 2 %} & more{% endif %}</mj-text><mj-button href="{{ item.url }}">"go"</mj-button>
    </mj-column>{% endfor %}</mj-section>{% endif %}</mj-body></mjml>"""
    folder_of(tmp_path, html=None, mjml=source)
    example = msgspec.structs.replace(
        EXAMPLE, content=Content("x", [Line("1", "<script>", url="https://shop.example/1")], category='"><b>')
    )
    texts = Templates(tmp_path, TEMPLATE_FOLDER).render("evil", example, "")
    tags = Tags(texts.html)
    assert "script" not in tags.seen and "b" not in tags.seen
    assert tags.links == ["https://shop.example/1"] and "&lt;script&gt; & more" in texts.html


def test_the_shops_folder_is_looked_at_before_ours(tmp_path):
    (tmp_path / "ru").mkdir()
    (tmp_path / "ru" / "abandoned_cart.subject.txt.j2").write_text("Своя тема")
    templates = Templates(tmp_path, TEMPLATE_FOLDER)
    assert templates.load() == []
    russian, english = (
        templates.render("abandoned_cart", msgspec.structs.replace(EXAMPLE, locale=locale), "")
        for locale in ("ru", "en")
    )
    assert russian.subject == "Своя тема" and "корзин" in russian.html
    assert english.subject.startswith("Your cart")


def test_a_text_part_is_made_from_the_html_where_there_is_none(tmp_path):
    folder_of(
        tmp_path,
        html="<html><head><title>no</title></head><body><div style='display: none'>hidden</div><h1>Hello {{ name }}</h1>"
        "<p>one<br>two &amp; three</p><table><tr><td>Shoes</td><td>10</td></tr></table>"
        "<ul><li>a</li><li><a href='https://shop.example/x'>link</a></li></ul><script>no()</script>"
        "<a href='https://shop.example/y'>https://shop.example/y</a></body></html>",
    )
    text = Templates(tmp_path).render("evil", EXAMPLE, "").text
    assert text == (
        "Hello Anna\n\none\ntwo & three\n\nShoes 10\n\n- a\n- link: https://shop.example/x\n\nhttps://shop.example/y\n"
    )


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", NAMES)
def test_each_template_has_short_texts_that_fit(name, locale):
    example = msgspec.structs.replace(EXAMPLE, locale=locale)
    templates = Templates(shop_url="https://shop.example", shop_name="Лавка" if locale == "ru" else "Lamp and Sofa")
    sms = templates.render(name, example, UNSUBSCRIBE, channel="sms")
    assert sms.text.endswith(sms.link) and not sms.html and "\n" not in sms.text
    assert len(sms.text) <= (134 if locale == "ru" else 160)
    for channel in ("webpush", "fcm"):
        push = templates.render(name, example, UNSUBSCRIBE, channel=channel)
        assert push.subject and push.text and not push.html and len(push.text) <= 120
        assert push.link.startswith("https://shop.example") and push.link not in push.text


@pytest.mark.parametrize(("channel", "text"), [("sms", "fine http://127.0.0.1:8002"), ("webpush", "fine")])
def test_a_template_without_a_short_text_says_its_subject(channel, text, tmp_path):
    folder_of(tmp_path)
    assert (
        Templates(tmp_path)
        .render("evil", msgspec.structs.replace(EXAMPLE, content=Content()), "", channel=channel)
        .text
        == text
    )


async def test_a_slow_template_neither_stops_the_loop_nor_the_others(tmp_path):
    folder_of(tmp_path, "good", html="hello {{ name }}")
    folder_of(tmp_path, "slow", html="{% for i in range(900) %}{{ i + 1 }}{% endfor %}")
    clock = ManualClock()
    cpu, spent = clock.now, []

    def seconds():  # each question costs a second: what asks often is slow, on any machine
        spent.append(1)
        return len(spent) * (1.0 if spent_on["slow"] else 0.0)

    spent_on = {"slow": False}
    rendering = Rendering(Templates(tmp_path, cpu=seconds), cpu, Beside("render"))
    assert "Anna" in (await rendering.render("good", EXAMPLE, "", None, "email")).html
    spent_on["slow"] = True
    with pytest.raises(RenderError, match="takes too long"):
        await rendering.render("slow", EXAMPLE, "", None, "email")
    asked = len(spent)
    with pytest.raises(RenderError, match="left alone"):
        await rendering.render("slow", EXAMPLE, "", None, "email")
    assert len(spent) == asked, "it was not tried again"
    spent_on["slow"] = False
    assert "Anna" in (await rendering.render("good", EXAMPLE, "", None, "email")).html
    clock.advance(REST + 1)
    spent_on["slow"] = True
    with pytest.raises(RenderError, match="takes too long"):
        await rendering.render("slow", EXAMPLE, "", None, "email")


async def test_what_takes_long_is_rendered_by_a_thread(tmp_path):
    folder_of(tmp_path, "long", html="{% for i in range(1000) %}{{ i }} {% endfor %}" * 3)
    here, elsewhere, asked = threading.get_ident(), set(), iter(range(1_000_000))

    def seconds():
        if threading.get_ident() == here:
            return next(asked)
        elsewhere.add(threading.get_ident())
        return 0.0

    texts = await Rendering(Templates(tmp_path, cpu=seconds), ManualClock().now, Beside("render")).render(
        "long", EXAMPLE, "", None, "email"
    )
    assert texts.html.startswith("0 1 2") and len(elsewhere) == 1


def test_traits_tags_and_the_order_of_a_journey_are_shown(tmp_path):
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "step.subject.txt.j2").write_text(
        "{{ order_id }} {{ traits.level }}{% if 'city' in traits %}!{% endif %} {% if 'b' in tags %}b{% endif %}"
    )
    (folder / "step.html.j2").write_text("<p>{{ traits.level }}</p>")
    content = Content(order_id="o1", traits={"level": "<gold>"}, tags=["a", "b"])
    trigger = msgspec.structs.replace(EXAMPLE, content=content, locale="en")
    texts = Templates(tmp_path, TEMPLATE_FOLDER).render("step", trigger, "https://shop.example/u/token")
    assert (texts.subject, texts.html) == ("o1 <gold> b", "<p>&lt;gold&gt;</p>")
