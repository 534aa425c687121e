"""The page of the login. Pure."""

from urllib.parse import urlencode

from app.web.console.html import el, page


def form(token: str, following: str, told: str) -> bytes:
    """Name and password; `following` is where to go then, `told` what was wrong with the last try."""
    return page(
        "Log in",
        "/login",
        el("h1", "Log in"),
        el("p", told, class_="wrong", role="alert") if told else None,
        el(
            "form",
            el("input", type="hidden", name="csrf", value=token),
            el(
                "label",
                el("span", "Name"),
                el("input", name="name", autocomplete="username", required="", autofocus=""),
            ),
            el(
                "label",
                el("span", "Password"),
                el("input", type="password", name="password", autocomplete="current-password", required=""),
            ),
            el("button", "Log in", type="submit", class_="main"),
            action="/login?" + urlencode({"next": following}),
            method="post",
            class_="login",
        ),
        bare=True,
    )
