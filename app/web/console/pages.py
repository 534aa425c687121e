"""The console's pages. Pure: data in, HTML out."""

import re
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from app.explain import Tone, clock_time, full_time, standing, told
from app.inbox import EMAIL, Body, Mail
from app.model.journal import StoredLine
from app.under_way import STANDING
from app.web.console.html import Html, customer_link, el, join, page

_TILES = (
    ("events", "Events a second", "now"),
    ("triggers", "Triggers", "last 24 hours"),
    ("sent", "Sent", "last 24 hours"),
    ("held", "Held back", "last 24 hours"),
)
_FILTERS = (("event", "Events"), ("decision", "Decisions"), ("trigger", "Triggers"), ("send", "Sends"))


def live() -> bytes:
    """The live feed; its lines come over the stream."""
    tiles = [
        el("div", el("dt", name), el("dd", "0", id=f"count-{key}"), el("dd", text, class_="note", id=f"note-{key}"))
        for key, name, text in _TILES
    ]
    filters = [
        el("label", el("input", type="checkbox", name=kind, checked=""), el("span", name)) for kind, name in _FILTERS
    ]
    return page(
        "Live",
        "/",
        el("h1", "Live", class_="hidden"),
        el("dl", *tiles, class_="tiles"),
        el(
            "div",
            el("fieldset", el("legend", "Show", class_="hidden"), *filters, id="filters"),
            el("p", "connecting…", id="state", role="status"),
            el("button", "Pause", type="button", id="pause", aria_pressed="false"),
            class_="bar",
        ),
        el("noscript", el("p", "The live feed needs JavaScript; customers and inbox work without it.", class_="empty")),
        el("ol", id="feed", class_="feed", role="log", aria_live="off", aria_label="Feed"),
        el("p", "Nothing yet. Events, triggers and sends appear here as they happen.", id="empty", class_="empty"),
        scripts=("feed.js",),
    )


def customers() -> bytes:
    """The search page."""
    return page(
        "Customers",
        "/customers",
        el("h1", "Customers"),
        el(
            "p",
            "Look up a user id, an anonymous visitor's id, or a key such as ",
            el("code", "anon:…"),
            " to read what was decided about them, and why; or follow a customer from the live feed or from a mail in the inbox.",
            class_="lead",
        ),
    )


def timeline(
    key: str, keys: Sequence[str], stored: Sequence[StoredLine], scenario: str, *, more: bool, newest: bool
) -> bytes:
    """A customer's story, newest first. `more`: there are earlier lines; `newest`: these are the newest."""
    linked = [other for other in keys if other != key]
    parts: list[str | None] = [
        el("h1", "Customer ", el("code", key)),
        el(
            "p",
            "Also known as ",
            *_listed([el("a", el("code", k), href=customer_link(k)) for k in linked]),
            class_="lead",
        )
        if linked
        else None,
    ]
    scenarios = sorted(
        {item.line.scenario for item in stored if item.line.scenario} | ({scenario} if scenario else set())
    )
    if scenarios:
        parts.append(_scenario_filter(key, scenarios, scenario))
    journeys = sorted({item.line.scenario for item in stored if item.line.reason in STANDING})
    if journeys:
        links = [el("a", name, href=f"/journeys#journeys-{quote(name)}") for name in journeys]
        parts.append(el("p", "All who are in ", *_listed(links), class_="lead"))
    if not stored:
        parts.append(el("p", "Nothing has been decided about this customer yet.", class_="empty"))
        return page(key, "/customers", *parts, query=key)
    if newest:
        parts += [el("p", sentence, class_="standing") for sentence in standing(item.line for item in stored)]
    parts.append(el("div", *_days(stored, key), class_="days"))
    if more:
        query = urlencode({"before": stored[0].id, **({"scenario": scenario} if scenario else {})})
        parts.append(el("p", el("a", "Earlier", href=f"{customer_link(key)}?{query}", rel="next"), class_="pager"))
    return page(key, "/customers", *parts, query=key)


def _listed(items: Sequence[Html]) -> list[str]:
    out: list[str] = []
    for at, item in enumerate(items):
        out += [", ", item] if at else [item]
    return out


def _scenario_filter(key: str, scenarios: Sequence[str], chosen: str) -> Html:
    links = [el("a", "all", href=customer_link(key), aria_current=None if chosen else "true")]
    for name in scenarios:
        address = f"{customer_link(key)}?{urlencode({'scenario': name})}"
        links.append(el("a", name, href=address, aria_current="true" if name == chosen else None))
    return el("nav", *links, class_="chips", aria_label="Scenario")


def _days(stored: Sequence[StoredLine], key: str) -> list[Html]:
    days: dict[str, list[Html]] = {}
    for item in reversed(stored):
        days.setdefault(full_time(item.line.at)[:10], []).append(_moment(item, key))
    return [
        el("section", el("h2", el("time", day, datetime=day)), el("ol", *moments, class_="story"))
        for day, moments in days.items()
    ]


def _moment(item: StoredLine, key: str) -> Html:
    sentence, line = told(item.line), item.line
    extra: list[str] = []
    if line.customer != key:
        extra.append(el("span", "as ", el("code", line.customer), class_="as"))
    if sentence.tone is Tone.SENT and line.trigger_id:
        extra.append(el("a", "the mail", href="/inbox?" + urlencode({"trigger": line.trigger_id})))
    return el(
        "li",
        el("time", clock_time(line.at), datetime=full_time(line.at).replace(" ", "T") + "Z", title="UTC"),
        el("span", line.reason.replace("_", " "), class_="pill"),
        el("span", sentence.text, *(join(" ", part) for part in extra), class_="text"),
        class_="tone-" + sentence.tone,
    )


def inbox(mails: Sequence[Mail], total: int, filters: dict[str, str], *, more: bool) -> bytes:
    """The list of received mails, newest first."""
    parts: list[str | None] = [
        el("h1", "Inbox ", el("small", f"{total:,} mail{'' if total == 1 else 's'}")),
        el("p", "Mails that the dev inbox has received, each as often as it came.", class_="lead"),
    ]
    chosen = {name: value for name, value in filters.items() if value}
    if chosen:
        words = ", ".join(f"{name} {value}" for name, value in chosen.items())
        parts.append(el("p", f"Only {words} — ", el("a", "show all", href="/inbox"), class_="lead"))
    if not mails:
        parts.append(el("p", "No mail yet. Leave a cart behind and wait.", class_="empty"))
    parts.append(el("ol", *(_mail_row(mail) for mail in mails), class_="mails"))
    if more:
        query = urlencode({**chosen, "before": mails[-1].id})
        parts.append(el("p", el("a", "Earlier", href=f"/inbox?{query}", rel="next"), class_="pager"))
    return page("Inbox", "/inbox", *parts)


def _mail_row(mail: Mail) -> Html:
    moment = full_time(mail.sent_at)
    return el(
        "li",
        el(
            "a",
            el("span", mail.subject or "(no subject)", class_="subject"),
            el("span", mail.channel, class_="pill") if mail.channel != EMAIL else None,
            el("span", mail.to, class_="to"),
            el("span", mail.scenario or "—", class_="pill"),
            el("time", moment, datetime=moment.replace(" ", "T") + "Z", title="UTC"),
            href=f"/inbox/{mail.id}",
        ),
    )


def mail(found: Mail, body: Body, customer: str) -> bytes:
    """One mail: facts, the HTML in a sandbox, the text, the headers. `customer` is the key, if it is known."""
    why = el("a", el("code", customer), " — why this mail", href=customer_link(customer)) if customer else ""
    facts: list[tuple[str, str]] = [
        ("Channel", "" if found.channel == EMAIL else found.channel),
        ("To", found.to),
        ("Customer", why),
        ("From", dict(body.headers).get("From", found.sender)),
        ("Received", full_time(found.sent_at) + " UTC"),
        ("Scenario", found.scenario),
        ("Trigger", found.trigger_id),
    ]
    same = found.trigger_id and el(
        "a", "all mails of this trigger", href="/inbox?" + urlencode({"trigger": found.trigger_id})
    )
    frame = el(
        "iframe", src=f"/inbox/{found.id}/html", title="The mail as HTML", loading="lazy", referrerpolicy="no-referrer",
        sandbox="allow-popups allow-popups-to-escape-sandbox",
    )  # fmt: skip
    headers = el("table", *(el("tr", el("th", name, scope="row"), el("td", value)) for name, value in body.headers))
    return page(
        found.subject or "Mail",
        "/inbox",
        el("p", el("a", "← Inbox", href="/inbox"), class_="back"),
        el("h1", found.subject or "(no subject)"),
        el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts if value), class_="facts"),
        el("p", same, class_="lead") if same else None,
        frame if body.html else None,
        el("details", el("summary", "Text"), el("pre", body.text), open=None if body.html else "")
        if body.text
        else None,
        el("details", el("summary", "Headers"), el("div", headers, class_="scroll")),
    )


_BASE = '<base target="_blank">'
_HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)


def mail_html(body: Body) -> bytes:
    """The mail's own HTML, for the sandboxed frame: its links open in a new tab."""
    found = _HEAD.search(body.html)
    at = found.end() if found else 0
    return (body.html[:at] + _BASE + body.html[at:]).encode("utf-8", "replace")


def problem(status: int, text: str) -> bytes:
    """A page that says what went wrong."""
    return page(text, "", el("h1", str(status)), el("p", text, class_="lead"))
