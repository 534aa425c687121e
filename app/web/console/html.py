"""HTML built from values, escaped by construction, and the frame around every page. Pure."""

from html import escape
from urllib.parse import quote


class Html(str):
    """Text that is already HTML. Only this module makes it from strings."""

    __slots__ = ()


Child = str | None
VOID = frozenset({"input", "link", "meta", "br", "img", "hr"})


def el(tag: str, *children: Child, **attributes: str | None) -> Html:
    """An element. Children that are plain text are escaped; None is left out. `class_` and `data_x` lose their underscore."""
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Html(f"<{tag}{words}>")
    return Html(f"<{tag}{words}>{join(*children)}</{tag}>")


def join(*children: Child) -> Html:
    """Children side by side."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children if child is not None))


def customer_link(key: str) -> str:
    """Address of a customer's page."""
    return "/customers/" + quote(key, safe=":")


LOGO = Html(
    '<svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true"><path d="M5 25 C8 8 12 5 16 5 C20 5 24 8 27 25"'
    ' fill="none" stroke="currentColor" stroke-width="5" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_NAVIGATION = (
    ("/", "Live"),
    ("/dialogs", "Dialogs"),
    ("/customers", "Customers"),
    ("/scenarios", "Scenarios"),
    ("/journeys", "Journeys"),
    ("/inbox", "Inbox"),
)
SESSION = Html("<!--session-->")
"""Where the page says who has logged in; text of others cannot hold it, for it is escaped."""


def session(user: str, token: str) -> Html:
    """Who has logged in, and the way out. `token` is the session's, for its form."""
    return el(
        "form",
        el("span", user),
        el("input", type="hidden", name="csrf", value=token),
        el("button", "Log out", type="submit"),
        action="/logout",
        method="post",
        class_="session",
    )


def page(
    title: str, here: str, *content: Child, scripts: tuple[str, ...] = (), query: str = "", bare: bool = False
) -> bytes:
    """A whole page. `here` is the address of the current part of the navigation; `query` fills the search box.

    A `bare` page has neither.
    """
    links = [
        el("a", name, href=address, aria_current="page" if address == here else None) for address, name in _NAVIGATION
    ]
    search = el(
        "form",
        el("label", "Find a customer", for_="q", class_="hidden"),
        el(
            "input", type="search", id="q", name="id", value=query, placeholder="Customer id", maxlength="300",
            autocomplete="off", spellcheck="false",
        ),
        el("button", "Find", type="submit"),
        action="/customers", method="get", role="search",
    )  # fmt: skip
    header = el(
        "header",
        el("a", LOGO, el("span", "Boomerang"), href="/", class_="brand"),
        *(() if bare else (el("nav", *links, aria_label="Console"), search, SESSION)),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · Boomerang"),
        el("link", rel="icon", href="/pages/icon.svg", type="image/svg+xml"),
        el("link", rel="stylesheet", href="/pages/console.css"),
        *(el("script", src=f"/pages/{name}", defer="") for name in scripts),
    )
    body = el(
        "body",
        el("a", "Skip to content", href="#content", class_="skip"),
        header,
        el("main", *content, id="content", tabindex="-1"),
    )
    return ("<!doctype html>" + el("html", head, body, lang="en")).encode("utf-8", "replace")
