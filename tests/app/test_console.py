"""The console's pages and JSON, as an ASGI application over real stores."""

import re
from email.message import EmailMessage

import httpx
import pytest

from app.clock import ManualClock
from app.codec import encode_json
from app.errors import JournalDownError
from app.journal_store import Place
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.tokens import load_secret, mark
from app.web.console.app import create
from app.web.console.state import Console

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PAGES = ["/", "/customers", "/customers/anna", "/scenarios", "/inbox", "/inbox/1", "/nowhere"]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def console(make_settings, clock):
    console = Console(make_settings(kafka="kafka://127.0.0.1:1", redis=""), clock)
    yield console
    await console.close()


@pytest.fixture
async def client(console):
    transport = httpx.ASGITransport(create(console))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def journal(console, *lines):
    console.open_journal().insert([Place(0, at, encode_json(line), line) for at, line in enumerate(lines)])


def mail(console, subject="Your cart", html="<p>Teapot</p>", to="anna@shop.example", trigger="t1"):
    message = EmailMessage()
    message["Subject"], message["To"] = subject, to
    message["X-Boomerang-Scenario"], message["X-Boomerang-Trigger"] = "abandoned_cart", trigger
    message.set_content("Teapot × 1")
    message.add_alternative(html, subtype="html")
    console.inbox.add("shop@shop.example", [to], message.as_bytes())


@pytest.fixture
def story(console, clock):
    now = clock.now()
    journal(
        console,
        JournalLine(now - 50, "anon:a1", Reason.ARMED, "abandoned_cart", event_id="m-1", due=now - 10),
        JournalLine(now - 40, "anna", Reason.LINKED, detail={"alias": "anon:a1", "owner": "anna"}),
        JournalLine(now - 9, "anna", Reason.FIRED, "abandoned_cart", "t1", "m-1", "email", now - 10),
        JournalLine(
            now - 8, "anna", Reason.SENT, "abandoned_cart", "t1", channel="email", detail={"to": "anna@shop.example"}
        ),
        JournalLine(now - 7, "anna", Reason.ARMED, "abandoned_view", due=now + 60),
        JournalLine(now - 6, "boris", Reason.NO_CONSENT, "abandoned_cart", detail={"channel": "email"}),
    )


@pytest.mark.usefixtures("story")
async def test_the_journal_as_json_follows_links_and_carries_sentences(client):
    lines = (await client.get("/api/journal", params={"customer": "anna"})).json()
    assert [line["reason"] for line in lines] == ["armed", "linked", "fired", "sent", "armed"]
    assert lines[0]["customer"] == "anon:a1"
    assert lines[0]["sentence"].startswith("abandoned_cart armed by event m-1 (due ")


@pytest.mark.usefixtures("story")
async def test_the_journal_can_be_narrowed_and_paged(client):
    first = (await client.get("/api/journal?customer=anna&scenario=abandoned_cart&limit=2")).json()
    assert [line["reason"] for line in first] == ["fired", "sent"]
    rest = (await client.get(f"/api/journal?customer=anna&scenario=abandoned_cart&before={first[0]['id']}")).json()
    assert [line["reason"] for line in rest] == ["armed"]


async def test_a_journal_of_nobody_is_empty(client):
    assert (await client.get("/api/journal?customer=nobody")).json() == []


@pytest.mark.parametrize(
    "address",
    [
        "/api/journal",
        "/api/journal?customer=",
        "/api/journal?customer=a&limit=x",
        "/api/journal?customer=a&before=-1",
        "/api/inbox?limit=1.5",
        "/api/inbox?limit=²",
    ],
)
async def test_a_wrong_question_is_answered_with_400_in_json(client, address):
    answer = await client.get(address)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_the_inbox_as_json(client, console, clock):
    mail(console)
    mail(console, to="boris@shop.example", trigger="t2")
    first = (await client.get("/api/inbox", params={"to": "anna@shop.example"})).json()
    assert len(first) == 1
    expected = {
        "channel": "email",
        "to": "anna@shop.example",
        "subject": "Your cart",
        "scenario": "abandoned_cart",
        "trigger_id": "t1",
        "sent_at": clock.now(),
    }
    assert first[0].items() >= expected.items()
    assert "Teapot × 1" in first[0]["text"]
    assert [item["trigger_id"] for item in (await client.get("/api/inbox?limit=1")).json()] == ["t2"]


async def test_one_mail_as_json_has_its_headers_and_html(client, console):
    mail(console)
    found = (await client.get("/api/inbox/1")).json()
    assert found["html"].strip() == "<p>Teapot</p>"
    assert ["X-Boomerang-Trigger", "t1"] in found["headers"]
    assert (await client.get("/api/inbox/2")).status_code == 404
    assert (await client.get(f"/api/inbox/{10**40}")).status_code == 404


@pytest.mark.usefixtures("story")
async def test_the_overview_counts_the_last_day(client, console):
    mail(console)
    figures = (await client.get("/api/overview")).json()
    assert {name: figures[name] for name in ("triggers", "sent", "held", "inbox")} == {
        "triggers": 1,
        "sent": 1,
        "held": 1,
        "inbox": 1,
    }


@pytest.mark.usefixtures("story")
async def test_the_timeline_tells_reasons_in_sentences_newest_first(client):
    page = (await client.get("/customers/anna")).text
    text = re.sub(r"<[^>]+>", " ", page)
    assert "abandoned_cart sent by email: the relay has taken it" in text
    assert page.index("sent by email") < page.index("armed by event m-1")
    assert "abandoned_view waits" in text
    assert "anon:a1" in text
    assert "boris" not in text
    assert 'href="/inbox?trigger=t1"' in page


@pytest.mark.usefixtures("story")
async def test_addresses_are_masked_in_the_timeline(client):
    page = (await client.get("/customers/anna")).text
    assert "a***@shop.example" in page
    assert "anna@shop.example" not in page


async def test_a_long_story_has_pages(client, console):
    journal(console, *(JournalLine(1_700_000_000.0 + at, "anna", Reason.ARMED, f"s{at}") for at in range(250)))
    first = (await client.get("/customers/anna")).text
    link = re.search(r'href="(/customers/anna\?before=\d+)" rel="next"', first)[1]
    second = (await client.get(link)).text
    seen = [int(number) for number in re.findall(r'class="text">s(\d+) armed', first + second)]
    assert seen == list(range(249, -1, -1))
    assert 'rel="next"' not in second


async def test_the_search_leads_to_the_customer(client):
    answer = await client.get("/customers", params={"id": " a/b?c%é "})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/customers/a%2Fb%3Fc%25%C3%A9"
    page = await client.get(answer.headers["location"])
    assert "a/b?c%é" in page.text


async def test_the_inbox_page_lists_mails_and_its_filters(client, console):
    mail(console, "First")
    mail(console, "Second", to="boris@shop.example", trigger="t2")
    page = (await client.get("/inbox")).text
    assert page.index("Second") < page.index("First")
    assert "2 mails" in page
    assert "First" not in (await client.get("/inbox?trigger=t2")).text


@pytest.mark.usefixtures("story")
async def test_a_mail_leads_to_its_customer_and_the_reasons(client, console):
    mail(console)
    mail(console, trigger="t2")
    assert 'href="/customers/anna"' in (await client.get("/inbox/1")).text
    assert "/customers/" not in (await client.get("/inbox/2")).text.replace('action="/customers', "").split("<h1", 1)[1]


async def test_a_mail_can_be_read_without_the_journal(client, console, monkeypatch):
    def fails(*_args):
        raise JournalDownError("the journal's database fails")

    monkeypatch.setattr(console.open_journal(), "customer_of", fails)
    mail(console)
    assert "Your cart" in (await client.get("/inbox/1")).text


async def test_a_mail_is_shown_in_a_sandbox_that_runs_no_script(client, console):
    mail(
        console,
        html=f"<html><head><title>x</title></head><body>{EVIL}<a href='https://shop.example'>shop</a></body></html>",
    )
    page = (await client.get("/inbox/1")).text
    frame = re.search(r"<iframe[^>]*>", page)[0]
    assert 'src="/inbox/1/html"' in frame
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame
    answer = await client.get("/inbox/1/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert '<head><base target="_blank">' in answer.text


async def test_whatever_a_shop_writes_is_only_text_on_our_pages(client, console):
    line = JournalLine(1_700_000_000.0, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, detail={"a": EVIL, EVIL: EVIL})
    journal(
        console,
        line,
        JournalLine(1_700_000_000.0, EVIL, Reason.LINKED, EVIL, detail={"alias": EVIL + "2", "owner": EVIL}),
    )
    mail(console, subject=EVIL)
    addresses = [
        "/customers/" + httpx.URL("http://x/").copy_with(params={"q": EVIL}).query.decode()[2:],
        "/inbox",
        "/inbox/1",
        "/inbox?to=" + EVIL,
    ]
    for address in addresses:
        page = (await client.get(address)).text
        assert "alert(1)" in page, address
        assert "<script>" not in page, address
        assert "<img" not in page, address
        assert page.count("<script ") == 0, address


@pytest.mark.parametrize("address", PAGES)
async def test_every_page_is_strict_about_what_may_run(client, console, address):
    mail(console)
    answer = await client.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert not re.search(r'\son\w+=|\sstyle=|javascript:|(src|href)="(https?:)?//', answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style", answer.text)


async def test_styles_and_scripts_are_our_own_files(client):
    page = (await client.get("/")).text
    files = re.findall(r'(?:src|href)="(/pages/[^"]+)"', page)
    assert len(files) == 3
    for name in files:
        answer = await client.get(name)
        assert answer.status_code == 200
        again = await client.get(name, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    assert "http" not in (await client.get("/pages/console.css")).text


@pytest.mark.parametrize("address", ["/pages/../console.py", "/pages/%2e%2e%2fconsole.py", "/pages/nothing.js"])
async def test_other_files_are_not_served(client, address):
    assert (await client.get(address)).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8001"])
async def test_a_name_that_only_resolves_to_us_is_turned_away(client, host):
    answer = await client.get("/api/inbox", headers={"host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8001", "[::1]:8001"])
async def test_loopback_names_are_answered(client, host):
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(console, client, method):
    for address in ("/", "/api/inbox", "/customers/anna", "/api/journal?customer=a"):
        assert (await client.request(method, address)).status_code == 403
        token = mark(load_secret(console.settings), "csrf", "")
        assert (await client.request(method, address, headers={"X-CSRF-Token": token})).status_code == 405


async def test_health_readiness_and_metrics(client):
    assert (await client.get("/healthz")).text == "ok\n"
    assert (await client.get("/readyz")).status_code == 200
    assert "boomerang_inbox_messages_total" in (await client.get("/metrics")).text


async def test_a_journal_that_is_down_is_a_503_in_words(make_settings, clock):
    console = Console(
        make_settings(kafka="kafka://127.0.0.1:1", redis="", sql="postgresql://u:hush@127.0.0.1:1/x"), clock
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create(console)), base_url="http://127.0.0.1") as client:
        for address in ("/customers/anna", "/api/journal?customer=anna", "/api/overview"):
            answer = await client.get(address)
            assert answer.status_code == 503
            assert "BOOMERANG_SQL" in answer.text
            assert "hush" not in answer.text
        assert (await client.get("/inbox")).status_code == 200
    await console.close()


async def test_odd_bytes_in_addresses_are_no_error_of_ours(client):
    for address in (
        "/customers/%00",
        "/customers/%ff%fe",
        "/customers/" + "x" * 5_000,
        "/inbox?to=%00&scenario=%ff",
        "/api/journal?customer=%00%ff",
        "/customers/..",
    ):
        assert (await client.get(address)).status_code in (200, 303, 404), address


async def test_the_console_does_without_sqlalchemy_until_somebody_asks(process, make_settings, eventually):
    code = "import app.web.console.app, sys; sys.exit('sqlalchemy' in sys.modules or 'aiokafka' in sys.modules)"
    child = process.start(["-c", code], make_settings(kafka="kafka://127.0.0.1:1", redis=""))
    assert await eventually(lambda: child.status() is not None, 30)
    assert child.status() == 0, child.log.tail()
