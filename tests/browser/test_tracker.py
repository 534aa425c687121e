"""The tracker in a real browser, on pages of another origin than the collector's."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from app.clock import SYSTEM, moment
from app.web.collector.script import TRACKER, Script
from tests.browser.conftest import Visitor
from tests.browser.servers import KEY, Recorder, Site

MUG = {"product_id": "mug-1", "name": "Blue mug", "price": 12.5, "category": "Kitchen"}


@pytest.mark.parametrize("respect_dnt", [False, True])
def test_the_script_is_at_most_five_kilobytes(respect_dnt: bool) -> None:
    script = Script(respect_dnt=respect_dnt)
    script._refresh()
    assert (b'const DNT = "respect";' in script._plain) == respect_dnt
    assert len(gzip.compress(script._plain, 6)) <= 5 * 1024


def test_the_script_needs_nothing_else() -> None:
    source = TRACKER.read_text()
    assert "import" not in source
    assert "require(" not in source
    assert "http" not in source


def test_a_page_view_arrives_with_its_context(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/p")
    visitor.open("/p?utm_source=mail")
    event = recorder.wait_for("page")[0]
    request = recorder.requests[0]
    assert request["body"]["writeKey"] == KEY
    assert request["headers"]["content-type"].startswith("text/plain")
    assert recorder.preflights == 0
    assert event["context"]["page"] == {
        "url": f"{visitor.base}/p?utm_source=mail",
        "path": "/p",
        "title": "Page /p",
        "referrer": "",
    }
    assert event["context"]["timezone"]
    assert event["context"]["locale"].startswith("en")
    assert len(event["anonymousId"]) > 12
    assert len(event["messageId"]) < 100
    sent = datetime.fromisoformat(request["body"]["sentAt"])
    assert timedelta() <= sent - datetime.fromisoformat(event["timestamp"]) < timedelta(seconds=5)
    assert abs(sent - moment(SYSTEM.now())) < timedelta(seconds=30)


def test_events_of_a_moment_travel_in_one_request(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("for (let n = 0; n < 20; n++) boomerang.track('Tick', {n})")
    recorder.wait_for("Tick", 20)
    assert len(recorder.requests) <= 2


def test_the_visitor_keeps_one_anonymous_id(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/a")
    site.put("/b")
    visitor.open("/a")
    visitor.open("/b")
    pages = recorder.wait_for("page", 2)
    assert len({e["anonymousId"] for e in pages}) == 1
    assert len({e["messageId"] for e in pages}) == 2


def test_the_helpers_speak_ecommerce(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run(f"""
      const mug = {json.dumps(MUG)};
      boomerang.view(mug);
      boomerang.list("Kitchen", [mug, {{id: "pan-2", name: "Pan", price: "1 299,50"}}]);
      boomerang.search("mug", 3);
      boomerang.add(mug, 2);
      boomerang.remove(mug, 1);
      boomerang.cart([Object.assign({{quantity: 1}}, mug)]);
      boomerang.order({{order_id: "o-1", total: 12.5, currency: "EUR", products: [mug]}});
      boomerang.track("Banner Closed", {{where: "top"}});
    """)
    recorder.wait_for("Banner Closed")
    said = {e["event"]: e["properties"] for e in recorder.events if e["type"] == "track"}
    assert said["Product Viewed"] == MUG | {"url": f"{visitor.base}/"}
    assert said["Product List Viewed"]["category"] == "Kitchen"
    assert [p["product_id"] for p in said["Product List Viewed"]["products"]] == ["mug-1", "pan-2"]
    assert said["Product List Viewed"]["products"][1]["price"] == 1299.5
    assert said["Products Searched"] == {"query": "mug", "results": 3, "products": []}
    assert said["Product Added"] == MUG | {"quantity": 2}
    assert said["Product Removed"] == MUG | {"quantity": 1}
    assert said["Cart Viewed"] == {"products": [MUG | {"quantity": 1}]}
    assert said["Order Completed"] == {"order_id": "o-1", "total": 12.5, "currency": "EUR", "products": [MUG]}
    assert said["Banner Closed"] == {"where": "top"}


def test_calls_before_the_script_are_kept(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put(
        "/", f"<script>window.boomerang = window.boomerang || []; boomerang.push(['view', {json.dumps(MUG)}]);</script>"
    )
    visitor.open()
    assert recorder.wait_for("Product Viewed")[0]["properties"]["product_id"] == "mug-1"


def test_the_view_of_a_product_knows_the_way_back(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put(
        "/p",
        f"<script>boomerang = [['view', {json.dumps(MUG)}]]</script>",
        head='<link rel="canonical" href="/mugs/1"><meta property="og:image" content="/mug@2x.png">',
    )
    visitor.open("/p?session=1")
    properties = recorder.wait_for("Product Viewed")[0]["properties"]
    assert properties["url"] == f"{visitor.base}/mugs/1"
    assert properties["image_url"] == f"{visitor.base}/mug@2x.png"


def test_navigation_inside_an_application_is_a_page_view(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("history.pushState({}, '', '/second'); document.title = 'Second';")
    second = recorder.wait_for("page", 2)[1]
    assert second["context"]["page"] == {
        "url": f"{visitor.base}/second",
        "path": "/second",
        "title": "Second",
        "referrer": f"{visitor.base}/",
    }
    visitor.run("history.back()")
    assert recorder.wait_for("page", 3)[2]["context"]["page"]["path"] == "/"
    visitor.run("history.pushState({}, '', '#part')")
    visitor.pass_a_batch()
    assert len(recorder.wait_for("page", 3)) == 3


def test_page_views_can_be_left_to_the_page(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", attributes='data-auto="off"')
    visitor.open()
    visitor.run("history.pushState({}, '', '/second'); boomerang.page('Mine', {kind: 'test'})")
    event = recorder.wait_for("page")[0]
    assert (event["name"], event["properties"]) == ("Mine", {"kind": "test"})
    assert len(recorder.events) == 1


def test_identify_joins_later_events_to_the_user(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("boomerang.identify('user-7', {name: 'Ann'}); boomerang.track('Now')")
    identified, tracked = recorder.wait_for("identify")[0], recorder.wait_for("Now")[0]
    assert identified["traits"] == {"name": "Ann"}
    assert identified["userId"] == tracked["userId"] == "user-7"
    assert identified["anonymousId"] == tracked["anonymousId"]
    visitor.open()
    assert recorder.wait_for("page", 2)[1]["userId"] == "user-7"


def test_another_user_and_reset_begin_a_new_visitor(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("boomerang.identify('a'); boomerang.identify('b'); boomerang.reset(); boomerang.track('After')")
    first, second = recorder.wait_for("identify", 2)
    after = recorder.wait_for("After")[0]
    assert len({first["anonymousId"], second["anonymousId"], after["anonymousId"]}) == 3
    assert "userId" not in after


def test_alias_names_the_former_id(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("boomerang.alias('user-9')")
    event = recorder.wait_for("alias")[0]
    assert event["userId"] == "user-9"
    assert event["previousId"] == event["anonymousId"]


def test_personal_data_stays_in_the_browser(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", '<form><input name="email" value="form@shop.example"></form>')
    visitor.open("/?email=query@shop.example&q=lamp&tel=79991234567")
    visitor.run("""
      boomerang.identify("ann@shop.example", {email: "ann@shop.example", phone: "+79991234567", userPhone: "1", name: "Ann"});
      boomerang.track("Asked", {text: "write to bob@shop.example or +7 (999) 123-45-67", deep: [{Email: "x"}], ean: "4607012345678"});
      boomerang.search("carl%40shop.example");
    """)
    recorder.wait_for("Products Searched")
    raw = json.dumps([r["body"] for r in recorder.requests])
    for secret in ("@shop.example", "%40shop", "99123", "123-45", "userPhone", '"x"'):
        assert secret not in raw
    assert recorder.tracked("Asked")[0]["properties"] == {"text": "write to  or ", "deep": [{}], "ean": "4607012345678"}
    assert "userId" not in recorder.wait_for("identify")[0]
    assert recorder.wait_for("page")[0]["context"]["page"]["url"].endswith("/?email=&q=lamp&tel=")


def test_a_cart_of_ten_thousand_lines_is_bounded(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("""boomerang.cart(Array.from({length: 10000}, (_, n) => ({id: n + 1, name: "x".repeat(400), url: "/" + "y".repeat(400)})));
      boomerang.cart(Array.from({length: 10000}, (_, n) => ({id: n + 1})))""")
    long, many = recorder.wait_for("Cart Viewed", 2)
    assert len(long["properties"]["products"]) == 9
    assert len(many["properties"]["products"]) == 100
    assert max(r["size"] for r in recorder.requests) < 64_000


def test_leaving_the_page_sends_what_is_left(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    site.put("/next", tracker=False)
    visitor.open()
    recorder.wait_for("page")
    visitor.run("boomerang.track('Last'); location.href = '/next'")
    recorder.wait_for("Last")
    visitor.run_async("const look = () => location.pathname === '/next' ? done() : setTimeout(look, 5); look();")
    assert visitor.stored("boomerang.q.") == []


def test_leaving_uses_a_beacon(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put(
        "/",
        """<script>window.beacons = []; const beacon = navigator.sendBeacon;
      navigator.sendBeacon = function (url, body) { beacons.push(url); return beacon.apply(this, arguments); };</script>""",
    )
    visitor.open()
    recorder.wait_for("page")
    beacons = visitor.run("boomerang.track('Left'); dispatchEvent(new Event('pagehide')); return beacons;")
    assert beacons == [f"{recorder.origin}/v1/batch"]
    recorder.wait_for("Left")
    assert visitor.stored("boomerang.q.") == []


def test_a_hidden_page_sends_at_once_and_waits_for_the_answer(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put(
        "/",
        """<script>window.sent = []; const real = fetch;
      window.fetch = (url, options) => { sent.push(options.keepalive); return real(url, options); };</script>""",
    )
    visitor.open()
    recorder.wait_for("page")
    visitor.until_stored(0)
    recorder.answers.append((503, {}))
    sent = visitor.run("""boomerang.track('Hidden'); Object.defineProperty(document, 'hidden', {value: true});
      document.dispatchEvent(new Event('visibilitychange')); return sent;""")
    assert sent == [True, True]
    recorder.wait_for("Hidden")
    visitor.until_stored(0)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refused_batch_is_sent_again(visitor: Visitor, site: Site, recorder: Recorder, status: int) -> None:
    recorder.answers.append((status, {}))
    site.put("/")
    visitor.open()
    visitor.run("boomerang.track('Once')")
    recorder.wait_for("Once")
    sent = [e["messageId"] for r in recorder.requests for e in r["body"]["batch"] if e.get("event") == "Once"]
    assert len(set(sent)) == 1
    visitor.until_stored(0)


def test_retry_after_is_obeyed(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    recorder.answers.append((503, {"Retry-After": "3"}))
    site.put(
        "/",
        """<script>window.sent = []; const real = fetch;
      window.fetch = (...words) => { sent.push(performance.now()); return real(...words); };</script>""",
    )
    visitor.open()
    recorder.wait_for("page")
    first, second = visitor.run("return sent.slice(0, 2)")
    assert second - first >= 2900


def test_a_batch_that_can_never_be_accepted_is_dropped(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    recorder.answers.append((400, {}))
    site.put("/")
    visitor.open()
    recorder.wait(lambda: recorder.requests, "a request")
    visitor.until_stored(0)
    visitor.run("boomerang.track('Next')")
    recorder.wait_for("Next")
    assert [e.get("event") for e in recorder.events] == ["Next"]


def test_events_of_an_offline_page_wait_and_arrive(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    recorder.wait_for("page")
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    visitor.driver.execute_cdp_cmd("Network.enable", {})
    visitor.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    visitor.run("boomerang.track('Offline')")
    visitor.until_stored(1)
    visitor.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        offline | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    recorder.wait_for("Offline")
    visitor.until_stored(0)


LATER = "<script>const real = Date.now; Date.now = () => real() + 60000;</script>"


def test_the_next_page_sends_what_an_outage_left(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    recorder.answers.extend([(503, {"Retry-After": "60"})])
    site.put("/")
    site.put("/next", LATER)
    visitor.open()
    visitor.run("boomerang.track('Kept')")
    recorder.wait(lambda: recorder.requests, "a request")
    visitor.open("/next")
    kept = recorder.wait_for("Kept")
    assert len(kept) == 1
    visitor.until_stored(0)


def test_the_offline_queue_is_bounded_and_keeps_the_newest(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    recorder.answers.append((503, {"Retry-After": "100"}))
    site.put("/", attributes='data-auto="off"')
    visitor.open()
    visitor.run("boomerang.track('First')")
    recorder.wait(lambda: recorder.requests, "a request")
    visitor.run("for (let n = 0; n < 150; n++) boomerang.track('Tick', {n})")
    assert len(visitor.stored("boomerang.q.")) == 100


def test_two_tabs_share_one_queue_without_harm(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    recorder.answers.extend([(503, {"Retry-After": "60"})] * 2)
    site.put("/one", attributes='data-auto="off"')
    site.put("/two", attributes='data-auto="off"')
    site.put("/later", LATER, attributes='data-auto="off"')
    driver = visitor.driver
    first = driver.current_window_handle
    visitor.open("/one")
    visitor.run("for (let n = 0; n < 10; n++) boomerang.track('One', {n})")
    driver.switch_to.new_window("tab")
    visitor.open("/two")
    visitor.run("for (let n = 0; n < 10; n++) boomerang.track('Two', {n})")
    recorder.wait(lambda: len(recorder.requests) == 2, "both requests")
    visitor.until_stored(20)
    visitor.run("localStorage.setItem('boomerang.q.0-broken', '{half')")
    visitor.open("/later")
    for name in ("One", "Two"):
        events = recorder.wait_for(name, 10)
        assert [e["properties"]["n"] for e in events] == list(range(10))
    visitor.until_stored(0)
    driver.close()
    driver.switch_to.window(first)


def test_nothing_is_stored_or_sent_before_consent(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", attributes='data-consent="required"')
    visitor.open()
    visitor.run("for (let n = 0; n < 150; n++) boomerang.track('Held', {n}); boomerang.identify('u-1')")
    visitor.pass_a_batch()
    assert recorder.requests == []
    assert visitor.stored("") == []
    assert visitor.run("return document.cookie") == ""
    visitor.run("boomerang.consent(true)")
    recorder.wait_for("identify")
    held = recorder.wait_for("Held", 99)
    assert [e["properties"]["n"] for e in held] == list(range(51, 150))
    assert {e["anonymousId"] for e in recorder.events} == {visitor.run("return localStorage.getItem('boomerang.id')")}
    visitor.open()
    recorder.wait_for("page")


def test_withdrawn_consent_forgets_the_visitor(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", attributes='data-consent="required"')
    visitor.open()
    visitor.run("boomerang.consent(true); boomerang.identify('u-1')")
    recorder.wait_for("identify")
    visitor.run("boomerang.consent(false); boomerang.track('After')")
    visitor.pass_a_batch()
    assert recorder.tracked("After") == []
    assert visitor.stored("") == []
    visitor.run("boomerang.consent(true); boomerang.track('Again')")
    again = recorder.wait_for("Again")[0]
    assert again["anonymousId"] != recorder.wait_for("identify")[0]["anonymousId"]
    assert "userId" not in again


def test_an_opt_out_lasts(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    recorder.wait_for("page")
    visitor.run("boomerang.optOut(); boomerang.track('After')")
    visitor.open()
    visitor.pass_a_batch()
    assert len(recorder.events) == 1
    assert visitor.stored("") == ["boomerang.consent"]


PRIVACY = "<script>Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})</script>"


@pytest.mark.parametrize(("attributes", "respect_dnt", "silent"), [
    ('data-dnt="respect"', False, True), ("", True, True), ("", False, False), ('data-dnt="ignore"', True, False),
])  # fmt: skip
def test_do_not_track_is_respected_by_setting(
    visitor: Visitor, site: Site, recorder: Recorder, attributes: str, respect_dnt: bool, silent: bool
) -> None:
    recorder.respect_dnt = respect_dnt
    site.put("/", PRIVACY, attributes=attributes)
    visitor.open()
    visitor.run("boomerang.consent(true); boomerang.view({id: 1})")
    visitor.pass_a_batch()
    assert (recorder.events == []) == silent
    assert (visitor.stored("") == []) == silent


def test_a_page_without_storage_still_counts_its_visitor(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put(
        "/", "<script>Object.defineProperty(window, 'localStorage', {get() { throw new Error('blocked'); }})</script>"
    )
    visitor.open()
    visitor.run("boomerang.identify('ü 7')")
    recorder.wait_for("identify")
    visitor.open()
    pages = recorder.wait_for("page", 2)
    assert len({e["anonymousId"] for e in pages}) == 1
    assert pages[1]["userId"] == "ü 7"


@pytest.mark.parametrize("broken", [
    "dataLayer = 'text'", "dataLayer = null", "dataLayer = {push: 1}", "dataLayer = [null, 1, 'x', {}, [], () => 1]",
    "dataLayer = Object.freeze([{event: 'view_item', ecommerce: {items: [null, 1, {}]}}])",
    "dataLayer = [{get event() { throw new Error('trap'); }}, {event: 'purchase', ecommerce: 5}]",
    "dataLayer = [{event: 'constructor', ecommerce: {items: [{id: 1}]}}, ['event', 'purchase'], {ecommerce: {add: 1}}]",
    "boomerang = 'text'", "boomerang = [null, 5, ['none'], ['order'], ['add', null]]",
    "Object.defineProperty(navigator, 'sendBeacon', {value: null})", "delete window.crypto; window.WeakSet = undefined",
])  # fmt: skip
def test_a_broken_page_does_not_break_further(visitor: Visitor, site: Site, recorder: Recorder, broken: str) -> None:
    site.put("/", f"<script>{broken}</script>")
    visitor.driver.get(visitor.base + "/")
    visitor.pass_a_batch()
    visitor.run(
        "try { dataLayer.push({event: 'view_item', ecommerce: {items: [{}]}}) } catch (error) {} window.dispatchEvent(new Event('pagehide'))"
    )
    assert visitor.run("return errors") == []
    assert {e["type"] for e in recorder.events} <= {"page"}


def test_calls_with_nonsense_do_not_throw(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run("""
      const loop = {}; loop.self = loop;
      for (const name in boomerang) if (name !== "initialized" && name !== "optOut" && name !== "consent") {
        for (const word of [undefined, null, NaN, 5, "x", [], [null], {}, loop, () => 1, Symbol("s"), 10n]) boomerang[name](word, word, word);
      }
      boomerang.track("Still Alive");
    """)
    recorder.wait_for("Still Alive")


def test_a_second_copy_of_the_script_does_nothing(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", f'<script src="{recorder.origin}/boomerang.js" data-key="{KEY}"></script>')
    visitor.open()
    visitor.pass_a_batch()
    assert len(recorder.wait_for("page")) == 1


def test_without_a_key_nothing_is_sent(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", f'<script src="{recorder.origin}/boomerang.js"></script>', tracker=False)
    visitor.open()
    visitor.run("boomerang.track('X')")
    visitor.pass_a_batch()
    assert recorder.requests == []


def test_the_clock_of_the_events_is_utc(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    assert datetime.fromisoformat(recorder.wait_for("page")[0]["timestamp"]).tzinfo == UTC
