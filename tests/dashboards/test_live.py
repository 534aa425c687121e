"""A real Prometheus scrapes the running product under load with faults: every panel, rule and alert has data.

`make dashboards-preview` runs this test too, and keeps the page that it draws and Chromium's picture of it.
"""

import asyncio
import importlib
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml

from app.clock import SYSTEM
from app.embedded.logs import ChildLog
from app.embedded.process import Process
from tests.app.catalogue.samples import YML
from tests.app.test_metrics import certificate
from tests.app.web.chat.gateway_server import TOKEN, gateway_server
from tests.broker.test_receipts import SECRET, tell
from tests.channels.relays import relay
from tests.running import product
from tests.servers import eventually, free_port

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = ROOT / "dashboards"
PROGRAM = shutil.which("prometheus") or "/usr/bin/prometheus"
CHROMIUM = "/usr/bin/chromium"
INTERVAL = "30s"
RARE = {
    "Boomerang: dialogs / Presses of buttons / B": "needs a press in a messenger; the panel's other line has data",
    "Boomerang: scenarios / Orders owed, 24 h / B": "needs a scenario with another goal than an order; likewise",
}
"""Expressions that need what is not injected here -> why."""


@pytest.fixture
def preview():
    sys.path.insert(0, str(DASHBOARDS))
    try:
        yield importlib.import_module("preview")
    finally:
        sys.path.remove(str(DASHBOARDS))
        sys.modules.pop("preview", None)


def need(path, package):
    if not Path(path).exists():
        told = f"NOT RUN: {path} is missing (apt-get install {package})"
        if os.environ.get("BOOMERANG_REQUIRE_ALL") == "1":
            pytest.fail(told)
        pytest.skip(told)


class Scraper:
    """Prometheus as a process of its own."""

    def __init__(self, folder, targets):
        config = {
            "global": {"scrape_interval": "2s", "evaluation_interval": "5s"},
            "rule_files": [str(path) for path in DASHBOARDS.glob("rules/*.yml")],
            "scrape_configs": [{"job_name": "boomerang", "static_configs": [{"targets": targets}]}],
        }
        folder.mkdir()
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [PROGRAM, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]  # fmt: skip
        self.process = Process("prometheus", command, ChildLog(folder / "log"), dict(os.environ))

    def stop(self):
        self.process.stop()


def troubled(handler):
    """Have a relay treat recipients by their names."""
    tried = set()

    async def rcpt(server, session, envelope, address, options):
        if address.startswith("refused"):
            return "554 5.7.1 not from you"
        if address.startswith("waiting") or (address.startswith("later") and address not in tried):
            tried.add(address)
            return "451 4.3.0 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def data(server, session, envelope):
        if envelope.rcpt_tos[0].startswith("lost"):
            server.transport.abort()
            await asyncio.sleep(0.01)
            return "421 gone"
        return "250 2.0.0 taken"

    handler.handle_RCPT, handler.handle_DATA = rcpt, data


async def shoppers(shop, until):
    """Customers who leave carts, one after the other, with every trouble there is, until told to stop."""
    number = 0
    while not until.is_set():
        number += 1
        for kind in ("fine", "later", "refused", "lost", "waiting"):
            user = f"{kind}{number}"
            await shop.subscribe(user)
            await shop.track(user, "Product Added", product_id="p1", name="Lamp", price=20)
        await shop.track(f"stranger{number}", "Product Added", product_id="p1", name="Lamp", price=20)  # no consent
        await shop.track(f"buyer{number}", "Product Added", product_id="p1", name="Lamp", price=20)
        await shop.track(f"buyer{number}", "Order Completed", order_id=f"o{number}", total=20)
        await shop.post("/v1/track", {"userId": "u", "type": "track"})  # no name: refused
        talk = {"conversation_id": f"d{number}", "message_id": f"m{number}"}
        await shop.track(f"client{number}", "Live Chat Message Sent", message="Is it in stock?", **talk)
        await shop.subscribe(f"client{number}")
        await shop.track(
            f"client{number}", "Product Added", product_id="p1", name="Lamp", price=20
        )  # held by the dialog
        if number % 2:  # the others wait
            answer = {**talk, "message_id": f"a{number}", "agent_id": "kim"}
            await shop.track(f"client{number}", "Live Chat Message Received", message="It is.", **answer)
        genuine = {"X-Telegram-Bot-Api-Secret-Token": "another-good-secret"}
        update = {"update_id": number, "my_chat_member": {}}  # none of our business, and counted as such
        async with shop.http.post(
            shop.url("collector", "/chat/telegram/ours"), json=update, headers=genuine
        ) as response:
            assert response.status in (200, 429), await response.text()
        guess = shop.http.post(shop.url("collector", "/chat/telegram/shop"), json={"update_id": -number})
        async with guess as response:  # without its secret
            assert response.status in (401, 429)
        await receipts(shop, number)
        if number > 7:  # the message was clicked, or nothing was said: the control group orders too
            order = {"order_id": f"f{number}", "total": 20, "currency": "EUR"}
            await shop.track(f"fine{number - 7}", "Order Completed", **order)
            if number % 3 == 0:
                await shop.track(f"fine{number - 7}", "Order Refunded", order_id=f"f{number}")
        if number > 6:  # fired by now, and waiting for its relay: the purchase calls it back
            await shop.track(f"waiting{number - 6}", "Order Completed", order_id=f"w{number}", total=20)
        try:
            await asyncio.wait_for(until.wait(), 0.7)
        except TimeoutError:
            continue


async def receipts(shop, number):
    """What a provider tells of a message that has been sent, a stranger's try, and a link that leads nowhere."""
    lines = await shop.json("console", f"/api/journal?customer=fine{max(number - 6, 1)}")
    for line in [line for line in lines if line["reason"] == "sent"]:
        message = {"message_id": line["detail"]["message_id"], "customer": line["customer"]}
        assert await tell(shop, {"outcome": "clicked", **message}, SYSTEM.now()) == 200
    async with shop.http.post(shop.url("collector", "/receipts/twilio"), json={}) as response:
        assert response.status in (401, 429)
    async with shop.http.get(shop.url("collector", "/r/nobody")) as response:
        assert response.status == 404


def alert_parts(expr):
    """An alert's expression with each comparison as 0 or 1: it has data whenever the metrics are there."""
    expr = expr.replace("[15m:1m]", "[15m:1s]")
    return re.sub(r"(==|>=|<=|<|>)\s*(?=[\d.])", r"\1 bool ", expr)


def has_data(lines):
    return any(math.isfinite(value) for line in lines for _, value in line.points)


def wanted(preview):
    """Where it stands -> expression."""
    found = {}
    for screen in preview.screens():
        for panel in preview.panels(screen):
            for target in panel["targets"]:
                found[f"{screen['title']} / {panel['title']} / {target['refId']}"] = preview.filled(
                    target["expr"], INTERVAL
                )
        for mark in screen["annotations"]["list"]:
            found[f"{screen['title']} / mark {mark['name']}"] = preview.filled(mark["expr"], INTERVAL)
    for path in DASHBOARDS.glob("rules/*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or f"{rule['record']}{rule.get('labels', '')}"
                found[name] = alert_parts(rule["expr"]) if "alert" in rule else rule["expr"]
    return found


async def test_every_panel_rule_and_alert_has_data_of_the_running_product(make_settings, process, preview, tmp_path):
    need(PROGRAM, "prometheus")
    (tmp_path / "ca.pem").write_text(certificate(10)[0])
    async with relay() as handler, gateway_server() as gateway:
        troubled(handler)
        (tmp_path / "chats.yaml").write_text(
            "telegram: {shop: {secret: a-good-secret}, ours: {secret: another-good-secret}}\n"
            f"retailcrm: {{crm: {{url: '{gateway.url}', token: {TOKEN}}}}}\n"
        )
        policy = (ROOT / "tests" / "awake.yaml").read_text()
        (tmp_path / "policy.yaml").write_text(
            f"{policy}prices: {{email: 0.01, sms: 3.5}}\nbudgets: {{'*': 1000}}\ncontrol: 15\n"
        )
        shutil.copytree(ROOT / "app" / "segments", tmp_path / "segments")
        shutil.copytree(ROOT / "app" / "scenarios", tmp_path / "scenarios")
        shutil.copy(ROOT / "app" / "pack" / "thanks.yaml", tmp_path / "scenarios")
        settings = make_settings(
            segments=tmp_path / "segments",
            scenarios=tmp_path / "scenarios",
            policy=tmp_path / "policy.yaml",
            time_scale=1800.0,
            instance="live",
            smtp=f"smtp+plain://127.0.0.1:{handler.port}",
            kafka_cafile=str(tmp_path / "ca.pem"),
            chats=str(tmp_path / "chats.yaml"),
            receipt_secrets=f"email={SECRET}",
        )
        async with product(settings, process) as shop:
            await shop.start("collector", "worker", "delivery", "console", "chat-gateway")
            feed, catalogue_port = tmp_path / "feed.xml", free_port()
            feed.write_text(YML)
            watch = ("catalogue", "watch", str(feed), "--every", "1m", "--port", f"{catalogue_port}")
            process.boomerang(*watch, settings=settings)
            ports = (
                catalogue_port,
                settings.collector_metrics_port,
                settings.worker_port,
                settings.delivery_port,
                settings.console_port,
                settings.chat_gateway_port,
            )
            scraper = Scraper(tmp_path / "prometheus", [f"127.0.0.1:{port}" for port in ports])
            over = asyncio.Event()
            load = asyncio.create_task(shoppers(shop, over))
            try:
                await _all_have_data(preview, scraper, load)
                await _alerts_fire(scraper)
                page = await asyncio.to_thread(preview.draw, preview.Prometheus(scraper.url), 120.0, INTERVAL)
                assert page.count("class=panel") == sum(1 for s in preview.screens() for _ in preview.panels(s))
                assert "no data" not in page
                _keep(page, tmp_path)
            finally:
                over.set()
                await asyncio.gather(load, return_exceptions=True)
                scraper.stop()


async def _all_have_data(preview, scraper, load):
    prometheus = preview.Prometheus(scraper.url)
    left = {name: expr for name, expr in wanted(preview).items() if name not in RARE}

    async def none_left():
        assert not load.done(), load.exception()
        now = await asyncio.to_thread(prometheus.now)
        asked = list(left.items())
        answers = await asyncio.gather(*(asyncio.to_thread(prometheus.instant, expr, now) for _, expr in asked))
        for (name, _), lines in zip(asked, answers, strict=True):
            if has_data(lines):
                del left[name]
        return not left

    try:
        await eventually(none_left, 300, "every expression has had data")
    except AssertionError as error:
        raise AssertionError("\n".join(f"{name}: {expr}" for name, expr in left.items())) from error


async def _alerts_fire(scraper):
    """The faults that are there are seen as such; a sound system would not be distinguished from a blind one."""

    async def firing():
        async with aiohttp.ClientSession() as http, http.get(f"{scraper.url}/api/v1/alerts") as answer:
            alerts = (await answer.json())["data"]["alerts"]
        names = {alert["labels"]["alertname"] for alert in alerts}
        return {
            "BoomerangWatchdog",
            "BoomerangAmbiguousSends",
            "BoomerangSendsFailing",
            "BoomerangCredentialExpiring",
        } <= names

    await eventually(firing, 120, "the alerts are pending or firing")


def _keep(page, folder):
    """Where a folder is named, keep the page and its picture."""
    kept = Path(os.environ.get("PREVIEW_FOLDER") or folder)
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "preview.html").write_text(page)
    if not os.environ.get("PREVIEW_FOLDER"):
        return
    need(CHROMIUM, "chromium")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1600,5200",
               f"--screenshot={kept.resolve()}/preview.png", f"--user-data-dir={folder}/chromium", f"file://{kept.resolve()}/preview.html"]  # fmt: skip
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    assert (kept / "preview.png").stat().st_size > 20_000
