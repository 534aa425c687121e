"""The plain page that a customer sees: of the unsubscribe link, and of a link that does not work. Pure."""

from html import escape
from typing import NamedTuple

from app.web.collector.http import Headers

LANGUAGES = ("en", "ru")

HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
]

_PAGE = """<!doctype html>
<html lang="{lang}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title>
<style>
body{{font:17px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;background:#f6f6f4;color:#222}}
main{{max-width:26rem;padding:2rem;margin:1rem;background:#fff;border-radius:12px;box-shadow:0 1px 8px #0001}}
h1{{font-size:1.4rem;margin:0 0 .5rem}}button{{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:8px;background:#222;color:#fff}}
a{{color:inherit}}
@media(prefers-color-scheme:dark){{body{{background:#181818;color:#eee}}main{{background:#242424}}button{{background:#eee;color:#222}}}}
</style><main><h1>{title}</h1><p>{text}</p>{more}</main></html>
"""


class Words(NamedTuple):
    """What a page says: heading, sentence, and the label of its button or link ("": it has none)."""

    title: str
    text: str
    label: str = ""


def page(words: Words, lang: str, *, link: str = "") -> bytes:
    """The page in `lang`; its label becomes a link to `link`, else the button of a form that confirms."""
    title, text, label = (escape(part) for part in words)
    more = ""
    if label and link:
        more = f'<p><a href="{escape(link)}">{label}</a></p>'
    elif label:
        more = f'<form method="post"><input type="hidden" name="confirm" value="1"><button>{label}</button></form>'
    return _PAGE.format(lang=lang, title=title, text=text, more=more).encode()


def language(accepted: str, default: str) -> str:
    """`en` or `ru`: the first of them that the client names, else `default`."""
    for item in accepted.lower().split(",")[:20]:
        tag = item.split(";", 1)[0].strip()[:2]
        if tag in LANGUAGES:
            return tag
    return default if default in LANGUAGES else "en"
