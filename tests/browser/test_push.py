"""The push subscription and the service worker in a real browser, as far as they go without a push service."""

import json
import threading

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.web.collector.script import PUSH, WORKER, Script
from channels.jwt import new_pair
from tests.browser.servers import KEY
from tests.channels.pushers import BROWSER, b64

_, PUBLIC = new_pair()
REGISTRATIONS = 12
"""Of service workers that the browser of these tests can have made: it numbers them from 0."""
ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc:def"
STUB = f"""
window.asked = [];
const made = {{endpoint: "{ENDPOINT}", expirationTime: null,
  keys: {{p256dh: "{b64(BROWSER.public)}", auth: "{b64(BROWSER.secret)}"}}}};
let current = null;
const subscription = {{...made, toJSON: () => made, unsubscribe: async () => {{ current = null; return true; }}}};
PushManager.prototype.getSubscription = async () => current;
PushManager.prototype.subscribe = async (options) => {{
  asked.push({{visible: options.userVisibleOnly, key: Array.from(options.applicationServerKey)}});
  return current = subscription;
}};
"""


class Told:
    """What came to the collector besides batches."""

    def __init__(self):
        self.requests, self.changed = [], threading.Condition()

    async def take(self, request: Request) -> Response:
        raw = await request.body()
        with self.changed:
            self.requests.append((request.url.path, dict(request.query_params), json.loads(raw)))
            self.changed.notify_all()
        return PlainTextResponse("{}", headers={"Access-Control-Allow-Origin": "*"})

    def wait(self, count, path):
        def found():
            return [item for item in self.requests if item[0] == path]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= count, 15), self.requests
            return found()


async def script(_request):
    served = Script(path=PUSH, push_key=PUBLIC)
    served._refresh()
    return Response(served._plain, media_type="text/javascript")


async def worker(_request):
    return Response(WORKER.read_bytes(), media_type="text/javascript")


@pytest.fixture
def told(recorder):
    told = Told()
    for path in ("/v1/track", "/receipts/webpush"):
        recorder.app.router.routes.append(Route(path, told.take, methods=["POST"]))
    recorder.app.router.routes.append(Route("/boomerang-push.js", script))
    return told


@pytest.fixture
def shop(visitor, site, recorder, told):
    """A page with both scripts, whose visitor allows notifications; the site serves the service worker itself."""
    site.app.router.routes.insert(0, Route("/boomerang-sw.js", worker))
    tag = f'<script async src="{recorder.origin}/boomerang-push.js" data-key="{KEY}"></script>'
    site.put("/", tag, head=f"<script>{STUB}</script>")
    visitor.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"origin": visitor.base, "permissions": ["notifications"]}
    )
    visitor.open()
    visitor.until("Boolean(window.boomerangPush)")
    yield visitor
    visitor.run_async(
        "navigator.serviceWorker.getRegistrations().then((all) => Promise.all(all.map((r) => r.unregister()))).then(done)"
    )
    visitor.driver.execute_cdp_cmd("Browser.resetPermissions", {})


def test_a_visitor_who_allows_it_is_subscribed_and_the_collector_is_told_once_a_day(shop, told):
    assert shop.run("return boomerangPush.possible() && boomerangPush.permission()") == "granted"
    assert shop.run_async("boomerangPush.subscribe().then(done)") is True
    ((_, _, event),) = told.wait(1, "/v1/track")
    assert (event["type"], event["event"], event["writeKey"]) == ("track", "Push Subscribed", KEY)
    assert event["anonymousId"] == shop.run("return boomerang.user().anonymousId()")
    assert event["properties"]["subscription"]["endpoint"] == ENDPOINT and "userId" not in event
    ((asked),) = shop.run("return asked")
    assert asked["visible"] is True and b64(bytes(asked["key"])) == PUBLIC
    assert shop.run_async("boomerangPush.subscribe().then(done)") is True
    assert len(told.requests) == 1, "the same day says nothing new"
    assert shop.run_async("boomerangPush.subscription().then(done)")["keys"]["auth"] == b64(BROWSER.secret)
    assert shop.run_async("boomerangPush.unsubscribe().then(done)") is True
    assert told.wait(2, "/v1/track")[1][2]["event"] == "Push Unsubscribed"
    assert shop.run_async("boomerangPush.subscription().then(done)") is None


def test_without_permission_nothing_is_told(shop, told):
    shop.driver.execute_cdp_cmd(
        "Browser.setPermission",
        {"permission": {"name": "notifications"}, "setting": "denied", "origin": shop.base},
    )
    assert shop.run_async("boomerangPush.subscribe().then(done)") is False
    assert told.requests == [] and shop.run("return asked") == []


def test_the_service_worker_shows_what_was_pushed_and_says_that_it_arrived(shop, told, recorder):
    assert shop.run_async("boomerangPush.subscribe().then(done)") is True
    data = {
        "title": "Ваша корзина ждёт",
        "body": "Мы её сохранили",
        "url": f"{shop.base}/cart",
        "tag": "ab12.0",
        "receipt": f"{recorder.origin}/receipts/webpush?t=tok.en",
    }
    shop.driver.execute_cdp_cmd("ServiceWorker.enable", {})
    for payload in ("not json", "null", json.dumps({"body": "no title"}), json.dumps(data)):
        for number in range(REGISTRATIONS):  # those that are another site's ignore it
            call = {"origin": shop.base, "registrationId": str(number), "data": payload}
            shop.driver.execute_cdp_cmd("ServiceWorker.deliverPushMessage", call)
    shop.driver.execute_cdp_cmd("ServiceWorker.disable", {})
    ((_, query, receipt),) = told.wait(1, "/receipts/webpush")
    assert query == {"t": "tok.en"} and receipt["outcome"] == "delivered"
    shown = shop.run_async(
        "navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) =>"
        " done(all.map((n) => [n.title, n.body, n.tag, n.data.url])))"
    )
    assert [data["title"], data["body"], "ab12.0", data["url"]] in shown
