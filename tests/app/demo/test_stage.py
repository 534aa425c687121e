"""The demo's settings, its progress and its summary."""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.commands.demo import Screen
from app.demo.stage import Stage, demo_settings, look, progress, summary
from app.demo.stories import BUYER, CART, Shopper
from app.demo.watch import Watch
from app.errors import UsageError
from app.settings import load
from tests.browser.servers import served

METRICS = """# HELP boomerang_triggers_total Triggers fired.
# TYPE boomerang_triggers_total counter
boomerang_triggers_total{scenario="abandoned_cart"} 12.0
boomerang_triggers_total{scenario="abandoned_search"} 3.0
boomerang_triggers_created{scenario="abandoned_cart"} 1.79e+09
"""


def stage(console: str = "", worker_port: int = 0) -> Stage:
    people = [
        Shopper(CART, "Ada", "ada", "a", "ada@customers.example", 0.0, ["Blue mug"]),
        Shopper(BUYER, "Ben", "ben", "b", "ben@customers.example", 0.0),
    ]
    system: Any = SimpleNamespace(urls={"console": console}, settings=SimpleNamespace(worker_port=worker_port))
    players: Any = SimpleNamespace(arrived=Counter({CART: 1, BUYER: 1}), failed=[])
    sender: Any = SimpleNamespace(sent=1234)
    return Stage(system, "http://shop", Watch(people), players, sender, 100.0, Counter())


def test_waits_are_scaled_down_and_the_shop_is_allowed() -> None:
    plain = load({}, shop_port=9002, shop_url="https://real.example")
    settings = demo_settings(plain)
    assert settings.time_scale == 240
    assert settings.shop_url == "http://127.0.0.1:9002"
    assert "http://127.0.0.1:9002" in settings.cors_origins.split(",")
    assert settings.data == plain.data / "demo"
    assert demo_settings(load({}, time_scale=60.0)).time_scale == 60


@pytest.mark.parametrize(
    "values", [{"smtp": "smtp://relay.example:25"}, {"write_keys": "browser:b"}, {"write_keys": "server:s"}]
)
def test_a_demo_that_would_write_to_strangers_or_nobody_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        demo_settings(load({}, **values))


async def test_inbox_and_triggers_are_read_from_the_running_system() -> None:
    mails = [{"id": 1, "to": "ben@customers.example", "subject": "Hello", "scenario": "abandoned_cart", "sent_at": 130.0, "text": ""},
             {"id": 2, "to": "ada@customers.example", "subject": "Cart", "scenario": "abandoned_cart", "sent_at": 125.0, "text": "Blue mug"}]  # fmt: skip

    async def inbox(request: Request) -> Response:
        return JSONResponse(mails[: int(request.query_params["limit"])])

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(METRICS)

    with served(Starlette(routes=[Route("/api/inbox", inbox), Route("/metrics", metrics)])) as port:
        running, said = stage(f"http://127.0.0.1:{port}", port), list[str]()
        async with aiohttp.ClientSession() as session:
            await look(running, session, said.append)
            await look(running, session, said.append)
    assert running.triggers == {"abandoned_cart": 12, "abandoned_search": 3}
    assert len(said) == 2
    assert "25 s after the start" in said[0]
    assert "BROKEN PROMISE" in said[1]
    assert "buyers 1, mails to them 1" in progress(running, 40)
    text = " ".join(summary(running, 40).split())
    assert "events sent 1,234" in text
    assert "triggers abandoned_cart 12, abandoned_search 3" in text
    assert "buyers with a mail 1 of 1" in text
    assert "promises broken 1" in text
    assert "first cart mail after 25 s" in text


async def test_triggers_of_a_worker_that_was_started_again_are_added() -> None:
    counts = [
        'boomerang_triggers_total{scenario="abandoned_cart"} 12.0\n',
        "",
        METRICS.replace(" 12.0", " 2.0"),
        METRICS,
    ]

    async def inbox(_request: Request) -> Response:
        return JSONResponse([])

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(counts.pop(0))

    with served(Starlette(routes=[Route("/api/inbox", inbox), Route("/metrics", metrics)])) as port:
        running = stage(f"http://127.0.0.1:{port}", port)
        async with aiohttp.ClientSession() as session:
            while counts:
                await look(running, session, lambda _text: None)
    assert running.triggers == {"abandoned_cart": 24, "abandoned_search": 3}


def test_without_a_terminal_progress_comes_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    for second in range(21):
        screen.progress(f"second {second}")
    screen.say("end")
    assert capsys.readouterr().out.splitlines() == ["second 0", "second 10", "second 20", "end"]


def test_on_a_terminal_the_line_is_written_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    screen = Screen()
    screen.progress("one")
    screen.progress("two")
    screen.say("end")
    assert capsys.readouterr().out == "one\r   \rtwo\r   \rend\n"


@pytest.mark.parametrize("arguments", [["--shoppers", "-1"], ["--shoppers", "100000"], ["--seconds", "0"]])
def test_wrong_use_is_told_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from app.cli import main

    assert main(["demo", *arguments]) == 2
    assert capsys.readouterr().err.startswith("boomerang demo: --")


def test_a_port_in_use_is_told(free_port: Callable[[], int]) -> None:
    from app.demo.stage import _listen
    from app.errors import CommandError

    port = free_port()
    listener = _listen(port)
    with pytest.raises(CommandError, match="BOOMERANG_SHOP_PORT"):
        _listen(port)
    listener.close()
