"""Alerts of scenarios with a template: rendered in the sandbox, bounded, plain, and escaped by each channel."""

from types import SimpleNamespace

import msgspec
import pytest

from app.model.alert import Alert
from app.model.event import Line
from app.model.trigger import Content
from channels import alert as cards
from channels import pipeline
from channels.examples import EXAMPLE, check_templates
from channels.render import LOCALES, RenderError, Templates

EVIL = "<b>Eve</b> & \u202e*co*"


@pytest.fixture
def folder(tmp_path):
    def write(text, locales=LOCALES):
        for locale in locales:
            (tmp_path / locale).mkdir(exist_ok=True)
            (tmp_path / locale / "silent_vip.alert.txt.j2").write_text(text)
        return tmp_path

    return write


def trigger_of(who="Anna", traits=None):
    told = Alert(
        "a1", None, "", "", 0.0, who=who, phone="+79990000001", value=120.0, currency="EUR", orders=3, template="silent_vip",
        cart=[Line("p1", "Lamp")], views=[Line("p2")],
    )  # fmt: skip
    return msgspec.structs.replace(
        EXAMPLE, alert=told, marketing=False, content=Content(name="Maria", traits=traits or {})
    )


def told(where, **options):
    from channels.render import TEMPLATES

    return Templates(where, TEMPLATES).told(trigger_of(**options))


def test_the_first_line_is_the_title_and_the_rest_one_line_below_it(folder):
    where = folder(
        "\n{{ customer.who }} has {{ customer.orders }} orders, cart {{ customer.value }}\n"
        "offered {{ traits.coupon|default('nothing') }},\n\nlooked at {{ customer.viewed|first }} ({{ customer.cart|first }})\n"
    )
    assert told(where, traits={"coupon": "ten"}) == ("Anna has 3 orders, cart €120", "offered ten, looked at p2 (Lamp)")
    assert told(where)[1].startswith("offered nothing")


def test_what_a_customer_calls_himself_stays_one_line_of_text_and_is_cut(folder):
    title, note = told(folder("{{ customer.who }}"), who=EVIL + "\nsecond line" + "x" * 5_000)
    assert note == "" and title.startswith("<b>Eve</b> & ")
    shown = msgspec.structs.replace(trigger_of(EVIL).alert, title=title, note="n" * 900)
    card = cards.card(
        msgspec.structs.replace(EXAMPLE, alert=shown), "en", 1.0, "", change=None, ref="", size=cards.SIZES[0]
    )
    assert "\n" not in card.title and "\u202e" not in card.title
    assert len(card.title) <= 2 * 200 + 4 and len(card.note) == 300
    mail = Templates().render("alert", trigger_of(), "", card)
    assert "<b>Eve</b>" not in mail.html and "&lt;b&gt;Eve" in mail.html


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ customer.nothing }}", "nothing"),
        ("{{ customer.__class__ }}", "silent_vip"),
        ("  \n ", "says nothing"),
        ("{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}", "silent_vip"),
    ],
)
def test_a_template_that_cannot_be_said_parks_the_alert(folder, text, fault):
    with pytest.raises(RenderError, match=fault):
        told(folder(text))


def test_check_tries_an_alert_in_every_language_and_asks_for_no_mail(folder):
    from channels.render import TEMPLATES

    good = (folder("{{ customer.who }} is silent"), TEMPLATES)
    assert check_templates([("alert.txt", "silent_vip")], folders=good, every=False) == []
    assert any("subject" in line for line in check_templates([("email", "silent_vip")], folders=good, every=False))
    broken = (folder("{{ customer.nothing }}", ("ru",)), TEMPLATES)
    assert any("ru/silent_vip" in line for line in check_templates([("alert.txt", "silent_vip")], folders=broken))


def job_of(trigger):
    return pipeline.Job("t1.0", trigger, "alert", SimpleNamespace(name="telegram"), "42", 1, grant=None, facts=None)


async def test_the_sender_says_what_the_template_says_and_parks_what_it_cannot(folder):
    from channels.render import TEMPLATES

    where = folder("{{ customer.who }} is silent\nfor long")
    render = pipeline.Render(Templates(where, TEMPLATES), pipeline.Urls(None), lambda: 1.0)
    job = job_of(trigger_of())
    assert await render(job) is None
    assert (job.rendered.cards[0].title, job.rendered.cards[0].note) == ("Anna: Anna is silent", "for long")
    assert job.trigger.alert.title == "", "what was decided stays as it is"
    missing = job_of(
        msgspec.structs.replace(trigger_of(), alert=msgspec.structs.replace(trigger_of().alert, template="no"))
    )
    verdict = await render(missing)
    assert (verdict.reason, missing.rendered) == (
        "render_failed",
        None,
    ) and "no.alert.txt.j2 is missing" in verdict.detail
