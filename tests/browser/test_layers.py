"""What shops already push: GA4's dataLayer (objects and gtag's arguments), Yandex's ecommerce objects, Segment's snippet."""

import json
from typing import Any

import pytest

from tests.browser.conftest import Visitor
from tests.browser.servers import Recorder, Site

ITEM = {
    "item_id": "mug-1",
    "item_name": "Blue mug",
    "price": 12.5,
    "item_brand": "Kiln",
    "item_category": "Kitchen",
    "quantity": 2,
}
GOODS = {"id": "mug-1", "name": "Blue mug", "price": "12,50", "brand": "Kiln", "category": "Kitchen", "quantity": 2}
LINE = {"product_id": "mug-1", "name": "Blue mug", "price": 12.5, "brand": "Kiln", "category": "Kitchen", "quantity": 2}


def ga4(event: str, **ecommerce: Any) -> dict[str, Any]:
    return {"event": event, "ecommerce": {"currency": "EUR", "items": [ITEM], **ecommerce}}


def yandex(**ecommerce: Any) -> dict[str, Any]:
    return {"ecommerce": {"currencyCode": "EUR", **ecommerce}}


ORDER = {"order_id": "T-1", "total": 25, "currency": "EUR", "products": [LINE]}
SPOKEN = [
    (ga4("view_item"), "Product Viewed", LINE | {"currency": "EUR"}),
    (ga4("view_item_list", item_list_name="Sale"), "Product List Viewed", {"category": "Kitchen", "currency": "EUR", "products": [LINE]}),
    (ga4("add_to_cart"), "Product Added", LINE | {"currency": "EUR"}),
    (ga4("add_to_wishlist"), "Product Added to Wishlist", LINE | {"currency": "EUR"}),
    (ga4("remove_from_cart"), "Product Removed", LINE | {"currency": "EUR"}),
    (ga4("view_cart"), "Cart Viewed", {"currency": "EUR", "products": [LINE]}),
    (ga4("purchase", transaction_id="T-1", value=25), "Order Completed", ORDER),
    ({"event": "search", "search_term": "mug"}, "Products Searched", {"query": "mug", "results": 0, "products": []}),
    (ga4("view_search_results", search_term="mug"), "Products Searched",
     {"query": "mug", "results": 1, "currency": "EUR", "products": [LINE]}),
    (yandex(detail={"products": [GOODS]}), "Product Viewed", LINE | {"currency": "EUR"}),
    (yandex(impressions=[GOODS]), "Product List Viewed", {"category": "Kitchen", "currency": "EUR", "products": [LINE]}),
    (yandex(add={"products": [GOODS]}), "Product Added", LINE | {"currency": "EUR"}),
    (yandex(remove={"products": [GOODS]}), "Product Removed", LINE | {"currency": "EUR"}),
    (yandex(purchase={"actionField": {"id": "T-1", "revenue": "25"}, "products": [GOODS]}), "Order Completed", ORDER),
    (yandex(purchase={"actionField": {"id": "T-1"}, "products": [GOODS]}), "Order Completed", ORDER),
]  # fmt: skip
NAMES = [next(iter(set(said["ecommerce"]) - {"currency", "currencyCode", "items"})) if "event" not in said else said["event"]
         for said, _, _ in SPOKEN]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SPOKEN)), ids=NAMES)
def test_a_layer_is_read(visitor: Visitor, site: Site, recorder: Recorder, number: int) -> None:
    pushed, event, properties = SPOKEN[number]
    early = number % 2 == 0  # every other one is there before the script
    push = f"dataLayer.push({json.dumps(pushed)})"
    site.put("/", f"<script>window.dataLayer = window.dataLayer || []; {push if early else ''}</script>")
    visitor.open()
    if not early:
        visitor.run(push)
    said = recorder.wait_for(event)[0]["properties"]
    if event == "Product Viewed":
        properties = properties | {"url": f"{visitor.base}/"}
    assert said == properties


@pytest.mark.parametrize("early", [True, False], ids=["before the script", "after it"])
def test_the_arguments_of_gtag_are_read(visitor: Visitor, site: Site, recorder: Recorder, early: bool) -> None:
    call = f"""gtag("js", new Date()); gtag("config", "G-1"); gtag("event", "add_to_cart", {json.dumps({"items": [ITEM], "currency": "EUR"})});
      gtag("event", "search", {{search_term: "mug"}});"""
    define = "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments); }"
    site.put("/", f"<script>{define}{call if early else ''}</script>")
    visitor.open()
    if not early:
        visitor.run(call)
    assert recorder.wait_for("Product Added")[0]["properties"] == LINE | {"currency": "EUR"}
    assert recorder.wait_for("Products Searched")[0]["properties"]["query"] == "mug"


PURCHASE = f"""dataLayer.push({json.dumps(ga4("purchase", transaction_id="T-1", value=25))});
  dataLayer.push({json.dumps(yandex(purchase={"actionField": {"id": "T-1"}, "products": [GOODS]}))});"""


def test_one_purchase_counts_once(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", f"<script>window.dataLayer = []; {PURCHASE}</script>")
    visitor.open()
    visitor.run(PURCHASE + f"boomerang.order({json.dumps(ORDER)})")
    visitor.open()
    visitor.run("boomerang.order({order_id: 'T-2', total: 1}); boomerang.track('Last')")
    recorder.wait_for("Last")
    assert [e["properties"]["order_id"] for e in recorder.tracked("Order Completed")] == ["T-1", "T-2"]


def test_two_layers_that_tell_of_one_click_count_it_once(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    click = f"""dataLayer.push({json.dumps(ga4("add_to_cart"))}); dataLayer.push({json.dumps(yandex(add={"products": [GOODS]}))});"""
    site.put("/", f"<script>window.dataLayer = []; {click} {click}</script>")
    visitor.open()
    visitor.run("boomerang.track('Last')")
    recorder.wait_for("Last")
    assert len(recorder.tracked("Product Added")) == 2


def test_a_search_told_twice_counts_once(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put(
        "/",
        "<script>dataLayer = [{event: 'search', search_term: 'mug'}, {event: 'view_search_results', search_term: 'mug'}]</script>",
    )
    visitor.open()
    visitor.run("boomerang.track('Last')")
    recorder.wait_for("Last")
    assert len(recorder.tracked("Products Searched")) == 1


def test_a_layer_that_the_page_replaces_is_found(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/")
    visitor.open()
    visitor.run(
        f"dataLayer = [{json.dumps(ga4('view_item'))}]; boomerang.track('Any'); dataLayer.push({json.dumps(ga4('add_to_cart'))})"
    )
    recorder.wait_for("Product Viewed")
    recorder.wait_for("Product Added")


def test_the_page_still_sees_its_own_pushes(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", "<script>dataLayer = []</script>")
    visitor.open()
    assert visitor.run("return [dataLayer.push({a: 1}, {b: 2}), dataLayer.length, dataLayer[1].b]") == [2, 2, 2]


def test_a_layer_of_another_name_or_none(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    push = f"({json.dumps(ga4('add_to_cart'))})"
    site.put("/named", "<script>myLayer = []; dataLayer = []</script>", attributes='data-layer="myLayer"')
    site.put("/off", "<script>dataLayer = []</script>", attributes='data-layer="off"')
    visitor.open("/off")
    visitor.run(f"dataLayer.push{push}; boomerang.track('Off')")
    recorder.wait_for("Off")
    visitor.open("/named")
    visitor.run(f"dataLayer.push{push}; myLayer.push{push}; boomerang.track('Named')")
    recorder.wait_for("Named")
    assert len(recorder.tracked("Product Added")) == 1


SNIPPET = """<script>
(function () {
  var analytics = window.analytics = window.analytics || [];
  analytics.methods = ["trackSubmit", "trackClick", "trackLink", "page", "identify", "reset", "group", "track", "ready", "alias",
    "on", "once", "off", "setAnonymousId", "user", "register", "addSourceMiddleware"];
  analytics.factory = function (name) {
    return function () {
      var call = Array.prototype.slice.call(arguments);
      call.push({__t: "bpc", p: location.pathname, u: location.href, t: document.title});
      call.unshift(name);
      analytics.push(call);
      return analytics;
    };
  };
  analytics.methods.forEach(function (name) { analytics[name] = analytics.factory(name); });
  analytics.load = function (key) {
    var script = document.createElement("script");
    script.async = true;
    script.src = "ORIGIN/analytics.js/v1/" + key + "/analytics.min.js";
    document.head.appendChild(script);
  };
  analytics.load("key-of-the-snippet");
  analytics.page("Docs", "Start", {a: 1});
  analytics.identify("user-1", {plan: "pro"});
  analytics.track("Signed", {n: 1}, function () { window.called = true; });
  analytics.ready(function () { window.isReady = true; });
  analytics.on("track", function () {});
})();
</script>"""


def test_segments_snippet_is_served(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", SNIPPET.replace("ORIGIN", recorder.origin), tracker=False)
    visitor.open()
    visitor.run("analytics.track('Later', {n: 2}).page(); analytics.register(); analytics.setAnonymousId('x')")
    recorder.wait_for("Later")
    recorder.wait_for("page", 2)
    page, identified, signed = recorder.events[:3]
    assert (page["type"], page["name"], page["properties"]) == ("page", "Start", {"a": 1})
    assert (identified["userId"], identified["traits"]) == ("user-1", {"plan": "pro"})
    assert (signed["event"], signed["properties"]) == ("Signed", {"n": 1})
    assert {r["body"]["writeKey"] for r in recorder.requests} == {"key-of-the-snippet"}
    assert visitor.run("return [window.called, window.isReady]") == [True, True]
    assert visitor.run("return analytics.user().id()") == "user-1"


def test_another_companys_snippet_on_the_page_is_left_alone(visitor: Visitor, site: Site, recorder: Recorder) -> None:
    site.put("/", "<script>window.analytics = [['track', 'Theirs']]</script>")
    visitor.open()
    recorder.wait_for("page")
    assert visitor.run("return Array.isArray(analytics) && analytics.length") == 1
