"""Who gets into the console, and what a POST needs."""

import asyncio
import re
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
from argon2 import PasswordHasher

from app.clock import ManualClock
from app.commands import password as password_command
from app.errors import CommandError, SettingsError, UsageError
from app.tokens import SESSION_LIFE
from app.web.console.app import create, server_of
from app.web.console.login import MOST_BODY
from app.web.console.passwords import users
from app.web.console.state import Console

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = QUICK.hash(PASSWORD)
BEHIND_LOGIN = ["/", "/dialogs", "/customers", "/customers/anna", "/inbox", "/inbox/1", "/inbox/1/html", "/session"]
APIS = [
    "/api/journal?customer=a",
    "/api/inbox",
    "/api/inbox/1",
    "/api/overview",
    "/api/stream",
    "/api/board",
    "/api/board/stream",
]


class Browser:
    def __init__(self, settings, peer="203.0.113.9", base="http://console.example"):
        self.clock = ManualClock()
        self.console = Console(settings, self.clock)
        transport = httpx.ASGITransport(create(self.console), client=(peer, 1))
        self.http = httpx.AsyncClient(transport=transport, base_url=base)

    async def form(self, path="/login"):
        page = await self.http.get(path)
        return re.search('name="csrf" value="([^"]+)"', page.text)[1]

    async def log_in(self, name="maria", password=PASSWORD, path="/login", **fields):
        self.clock.advance(6)  # the pace of tries
        form = {"csrf": await self.form(path), "name": name, "password": password, **fields}
        return await self.http.post(path, data=form)


@pytest.fixture
async def open_browser(make_settings):
    opened = []

    def make(peer="203.0.113.9", base="http://console.example", **overrides):
        values = {"console_users": f"maria:{HASH} ivan:{HASH}", "console_host": "0.0.0.0", **overrides}
        browser = Browser(make_settings(kafka="kafka://127.0.0.1:1", redis="", **values), peer, base)
        opened.append(browser)
        return browser

    yield make
    for browser in opened:
        await browser.http.aclose()
        await browser.console.close()


async def test_without_a_login_pages_lead_to_it_and_apis_refuse(open_browser):
    browser = open_browser()
    for path in BEHIND_LOGIN:
        answer = await browser.http.get(path)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/login"), path
    for path in APIS:
        assert (await browser.http.get(path)).status_code == 401, path
    for path in ("/healthz", "/metrics", "/pages/console.css"):
        assert (await browser.http.get(path)).status_code == 200, path
    assert (await browser.http.post("/api/board/commands", json={})).status_code == 401


async def test_the_right_password_opens_all_and_leads_to_where_one_wanted_to_go(open_browser):
    browser = open_browser()
    wanted = (await browser.http.get("/customers?id=a b")).headers["location"]
    answer = await browser.log_in(path=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers?id=a%20b")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie and "Path=/" in cookie
    assert "maria" in (await browser.http.get("/")).text
    assert (await browser.http.get("/api/board")).status_code == 200


async def test_over_https_the_cookie_is_secure(open_browser):
    browser = open_browser(base="https://console.example")
    assert "Secure" in (await browser.log_in()).headers["set-cookie"]


@pytest.mark.parametrize(("name", "password"), [("maria", "wrong"), ("nobody", PASSWORD), ("", ""), ("maria", "")])
async def test_a_wrong_name_or_password_is_refused_alike(open_browser, name, password):
    browser = open_browser()
    answer = await browser.log_in(name, password)
    assert answer.status_code == 401 and "Name or password is wrong." in answer.text
    assert (await browser.http.get("/")).status_code == 303


async def tries(browser, count, name="maria", password="wrong", **headers):
    """The answers to tries at one moment."""
    found = []
    for _ in range(count):
        form = {"csrf": await browser.form(), "name": name, "password": password}
        found.append((await browser.http.post("/login", data=form, headers=headers)).status_code)
    return found


async def test_passwords_are_not_tried_faster_than_a_person_types(open_browser):
    browser = open_browser()
    assert await tries(browser, 4) == [401, 401, 401, 429]
    browser.clock.advance(20)
    assert await tries(browser, 2) == [401, 429]
    assert await tries(browser, 1, "ivan", PASSWORD) == [303], "another name from there is let in"


async def test_who_tries_a_name_from_elsewhere_keeps_nobody_out(open_browser):
    browser = open_browser(trusted_proxies="203.0.113.0/24")
    assert await tries(browser, 30, **{"X-Forwarded-For": "198.51.100.66"}) == [401] * 3 + [429] * 27
    assert await tries(browser, 1, password=PASSWORD, **{"X-Forwarded-For": "198.51.100.5"}) == [303]


async def test_a_name_is_not_guessed_from_many_addresses(open_browser):
    browser = open_browser(trusted_proxies="203.0.113.9")
    found = [(await tries(browser, 1, **{"X-Forwarded-For": f"198.51.100.{at}"}))[0] for at in range(21)]
    assert found == [401] * 20 + [429]
    browser.clock.advance(5)
    assert await tries(browser, 1, password=PASSWORD, **{"X-Forwarded-For": "198.51.100.99"}) == [303]


async def test_many_names_are_not_tried_from_one_address(open_browser):
    browser = open_browser()
    found = [(await tries(browser, 1, f"name{at}", **{"X-Forwarded-For": f"6.6.6.{at}"}))[0] for at in range(11)]
    assert found == [401] * 10 + [429], "whom we do not trust, we do not believe"


async def test_a_login_needs_the_token_of_its_own_form_and_its_cookie(open_browser):
    browser, other = open_browser(), open_browser()
    assert (await browser.log_in(csrf="")).status_code == 403
    assert (await browser.log_in(csrf=await other.form())).status_code == 403
    token = await browser.form()
    browser.http.cookies.clear()
    assert (
        await browser.http.post("/login", data={"csrf": token, "name": "maria", "password": PASSWORD})
    ).status_code == 403


@pytest.mark.parametrize(
    "following", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/%0d%0aX:y"]
)
async def test_a_login_never_leads_to_another_site(open_browser, following):
    browser = open_browser()
    answer = await browser.log_in(path=f"/login?next={following}")
    assert answer.headers["location"] == "/"


async def test_a_session_ends_after_its_time_with_the_password_and_by_logging_out(open_browser):
    browser = open_browser()
    await browser.log_in()
    cookie = dict(browser.http.cookies)
    browser.clock.advance(SESSION_LIFE + 1)
    assert (await browser.http.get("/")).status_code == 303
    await browser.log_in()
    token = re.search('name="csrf" value="([^"]+)"', (await browser.http.get("/")).text)[1]
    assert (await browser.http.post("/logout", data={"csrf": token})).headers["location"] == "/login"
    assert (await browser.http.get("/")).status_code == 303
    changed = open_browser(console_users=f"maria:{QUICK.hash('another password')}")
    changed.http.cookies.update(cookie)
    assert (await changed.http.get("/")).status_code == 303


@pytest.mark.parametrize("path", ["/api/stream", "/api/board/stream"])
@pytest.mark.parametrize("how", ["logout", "time"])
async def test_a_live_stream_ends_with_its_session(make_settings, eventually, monkeypatch, path, how):
    monkeypatch.setattr("app.web.console.feed.HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr("app.web.console.boardroom.HEARTBEAT_SECONDS", 0.05)
    settings = make_settings(kafka="kafka://127.0.0.1:1", redis="", console_users=f"maria:{HASH}")
    async with served(settings, eventually) as client:
        page = await client.get("/login")
        form = {"csrf": re.search('name="csrf" value="([^"]+)"', page.text)[1], "name": "maria", "password": PASSWORD}
        await client.post("/login", data=form)
        cookies = dict(client.cookies)
        async with client.stream("GET", path) as answer:
            blocks = answer.aiter_bytes()
            seen = b""
            while seen.count(b": here") < 2:
                seen += await asyncio.wait_for(anext(blocks), 20)
            if how == "logout":
                token = re.search('data-csrf="([^"]+)"', (await client.get("/dialogs")).text)[1]
                assert (await client.post("/logout", data={"csrf": token})).status_code == 303
            else:
                client.clock.advance(SESSION_LIFE + 1)
            async with asyncio.timeout(20):
                async for _ in blocks:
                    pass
        assert (
            await client.get(path, headers={"Cookie": f"boomerang_session={cookies['boomerang_session']}"})
        ).status_code == 401


@pytest.mark.parametrize("forged", ["x", "x.y.z", "", "W10.abc", "a" * 5000])
async def test_a_cookie_that_we_did_not_sign_is_no_login(open_browser, forged):
    browser = open_browser()
    assert (await browser.http.get("/", headers={"Cookie": f"boomerang_session={forged}"})).status_code == 303


async def test_a_post_needs_the_token_of_its_own_session_and_no_other_origin(open_browser):
    browser, other = open_browser(), open_browser()
    await browser.log_in()
    await other.log_in("ivan")
    pattern = 'data-csrf="([^"]+)"'
    own, foreign = [re.search(pattern, (await one.http.get("/dialogs")).text)[1] for one in (browser, other)]

    async def post(token, **headers):
        body = {"kind": "take", "dialog": "none", "request": "12345678"}
        return (
            await browser.http.post("/api/board/commands", json=body, headers={"X-CSRF-Token": token, **headers})
        ).status_code

    assert own != foreign
    altered = own[:-1] + ("1" if own.endswith("0") else "0")
    assert await post("") == await post(foreign) == await post(altered) == 403
    assert await post(own, Origin="https://evil.example") == await post(own, Origin="null") == 403
    assert await post(own, Origin="http://console.example") == await post(own) == 404, "let in, and no such dialog"


async def test_a_body_that_is_too_large_is_not_read(open_browser):
    browser = open_browser()
    await browser.log_in()
    assert (await browser.http.post("/api/board/commands", content=b"x" * (MOST_BODY + 1))).status_code == 413


async def test_a_trusted_proxy_names_the_user_and_nobody_else_may(open_browser):
    settings = {"console_users": "", "console_proxy_header": "X-Forwarded-User", "trusted_proxies": "203.0.113.9"}
    browser, stranger = open_browser(**settings), open_browser(peer="203.0.113.10", **settings)
    named = {"X-Forwarded-User": "maria@shop.example"}
    assert "maria@shop.example" in (await browser.http.get("/", headers=named)).text
    assert (await browser.http.get("/")).status_code == 303
    assert (await stranger.http.get("/", headers=named)).status_code == 303
    doubled = [("X-Forwarded-User", "maria"), ("X-Forwarded-User", "ivan")]
    assert (await browser.http.get("/", headers=doubled)).status_code == 303


@asynccontextmanager
async def served(settings, eventually):
    """A client of the console over a real connection: its peer is 127.0.0.1."""
    clock = ManualClock()
    console = Console(settings, clock)
    listener = socket.create_server(("127.0.0.1", 0))
    server = server_of(create(console))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await eventually(lambda: server.started, 20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20) as client:
            client.clock = clock
            yield client
    finally:
        server.should_exit = True
        await serving
        await console.close()
        listener.close()


@pytest.mark.parametrize(
    ("trusted", "forwarded", "let_in"),
    [
        ("10.0.0.7", "10.0.0.7", False),
        ("10.0.0.7", "", False),
        ("127.0.0.1", "198.51.100.5", True),
        ("127.0.0.0/8", "198.51.100.5, 127.0.0.9", True),
        ("127.0.0.1", "", True),
    ],
)
async def test_a_proxy_is_known_by_its_connection_and_not_by_what_it_says(
    make_settings, eventually, trusted, forwarded, let_in
):
    settings = make_settings(
        kafka="kafka://127.0.0.1:1",
        redis="",
        console_host="0.0.0.0",
        console_proxy_header="X-Forwarded-User",
        trusted_proxies=trusted,
    )
    headers = {"X-Forwarded-User": "maria", **({"X-Forwarded-For": forwarded} if forwarded else {})}
    async with served(settings, eventually) as client:
        assert (await client.get("/customers", headers=headers)).status_code == (200 if let_in else 303)


@pytest.mark.parametrize(("trusted", "secure"), [("203.0.113.0/24", True), ("10.0.0.0/8", False), ("", False)])
async def test_behind_a_trusted_network_that_speaks_https_the_cookie_is_secure(open_browser, trusted, secure):
    browser = open_browser(trusted_proxies=trusted)
    browser.http.headers["X-Forwarded-Proto"] = "https"
    assert ("Secure" in (await browser.http.get("/login")).headers["set-cookie"]) is secure


@pytest.mark.parametrize("host", ["console.shop.example", "127.0.0.1:8001"])
async def test_on_loopback_behind_a_proxy_it_answers_to_its_public_name_and_takes_its_posts(open_browser, host):
    public = "https://Console.Shop.example:443/"
    browser = open_browser(console_host="127.0.0.1", console_url=public, base=f"https://{host}")
    browser.http.headers["Origin"] = "https://console.shop.example"
    assert (await browser.log_in()).status_code == 303
    token = re.search('data-csrf="([^"]+)"', (await browser.http.get("/dialogs")).text)[1]

    async def post(origin):
        body = {"kind": "take", "dialog": "none", "request": "12345678"}
        headers = {"X-CSRF-Token": token, "Origin": origin}
        return (await browser.http.post("/api/board/commands", json=body, headers=headers)).status_code

    assert await post("https://console.shop.example") == 404, "let in, and no such dialog"
    assert await post("https://evil.example") == await post("http://console.shop.example:81") == 403
    assert (await browser.http.get("/login", headers={"Host": "evil.example"})).status_code == 421


async def test_without_a_login_the_public_name_opens_nothing(open_browser):
    values = {"console_users": "", "console_host": "127.0.0.1", "console_url": "https://console.shop.example"}
    browser = open_browser(**values, base="http://console.shop.example")
    assert (await browser.http.get("/")).status_code == 421


async def test_on_loopback_it_is_open_and_says_so_loudly(open_browser, caplog):
    browser = open_browser(console_users="", console_host="127.0.0.1", base="http://127.0.0.1")
    assert "THE CONSOLE IS OPEN" in caplog.text
    assert (await browser.http.get("/dialogs")).status_code == 200
    assert (await browser.http.get("/login")).headers["location"] == "/"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"console_users": ""}, "BOOMERANG_CONSOLE_USERS"),
        ({"console_users": "maria"}, "NAME:HASH"),
        ({"console_users": "maria:secret"}, "boomerang password"),
        ({"console_users": f"maria:{HASH} maria:{HASH}"}, "each name once"),
        ({"console_users": "", "console_proxy_header": "X-User"}, "BOOMERANG_TRUSTED_PROXIES"),
        ({"trusted_proxies": "my-proxy"}, "BOOMERANG_TRUSTED_PROXIES"),
        ({"console_users": f"maria:{HASH}", "console_url": "https://a:b"}, "BOOMERANG_CONSOLE_URL"),
    ],
)
async def test_a_console_that_would_keep_nobody_out_does_not_start(make_settings, overrides, told):
    values = {"kafka": "kafka://127.0.0.1:1", "redis": "", "console_host": "0.0.0.0", **overrides}
    console = Console(make_settings(**values), ManualClock())
    with pytest.raises((CommandError, SettingsError), match=told):
        create(console)
    await console.close()


async def test_a_closed_network_may_be_served_openly_by_a_setting(open_browser):
    browser = open_browser(console_users="", console_open=True)
    assert (await browser.http.get("/dialogs")).status_code == 200


def test_the_command_makes_an_entry_that_is_understood(monkeypatch, capsys):
    import argparse
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    assert password_command.run(argparse.Namespace(name="maria")) == 0
    out = capsys.readouterr()
    assert set(users(out.out.strip())) == {"maria"} and PASSWORD not in out.out + out.err
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(UsageError, match="10 to 256"):
        password_command.run(argparse.Namespace(name="maria"))
    with pytest.raises(UsageError, match="no colon"):
        password_command.run(argparse.Namespace(name="a:b"))
