"""The board's page. Its rows come over the stream. Pure."""

from app.web.console.html import el, page

_KEYS = (
    ("j", "next"),
    ("k", "previous"),
    ("t", "take"),
    ("s", "snooze"),
    ("r", "resolve"),
    ("n", "not relevant"),
    ("o", "open"),
)


def board(token: str) -> bytes:
    """The frame of the board; `token` is the session's, which its script sends with each command."""
    keys = [el("span", el("kbd", key), f" {what}") for key, what in _KEYS]
    return page(
        "Dialogs",
        "/dialogs",
        el("h1", "Dialogs ", el("small", "", id="total")),
        el(
            "div",
            el(
                "label",
                el("span", "Show"),
                el("select", el("option", "everybody's", value=""), id="member", aria_label="Whose dialogs"),
            ),
            el("p", "connecting…", id="state", role="status"),
            class_="bar",
        ),
        el("noscript", el("p", "The board needs JavaScript.", class_="empty")),
        el("p", "", id="told", role="alert", class_="wrong", hidden=""),
        el("ol", id="board", class_="board", data_csrf=token, aria_label="Dialogs that wait"),
        el("p", "Nobody waits. Dialogs appear here when a client waits for an answer or has gone silent.", class_="empty", id="empty"),
        el("p", *keys, class_="keys", aria_label="Keys"),
        scripts=("board.js",),
    )  # fmt: skip
