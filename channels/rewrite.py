"""Links in the texts of a message: found, given to whoever leads them elsewhere, and put back. Pure.

Only addresses of web pages are touched; each target of a message has one number, however often it stands there.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from html import escape, unescape
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from channels.formats import web

MOST_LINKS = 100
"""Targets of a message that are followed; further ones stay as they are."""
_HREF = re.compile(r"""(<[aA]\s(?:[^<>]*?\s)??[hH][rR][eE][fF]\s*=\s*)("[^"<>]*"|'[^'<>]*')""")
_BARE = re.compile(r"https?://[^\s<>\"'«»“”]+")
"""Without IGNORECASE, with which Python looks at every letter: a tenth of the time."""
_AFTER = ".,;:!?…"
"""Ends a sentence rather than an address."""


def targets(html: str, text: str, leave: Callable[[str], bool]) -> list[str]:
    """The targets of a message in the order of their first appearance, but for those that are left as they are."""
    found = dict.fromkeys(unescape(match[2][1:-1]).strip() for match in _HREF.finditer(html))
    found |= dict.fromkeys(_trimmed(match[0]) for match in _BARE.finditer(text))
    return [target for target in found if _is_page(target) and not leave(target)][:MOST_LINKS]


def in_html(html: str, led: dict[str, str]) -> str:
    """The part with the links of `led` (target -> what stands in its place) led elsewhere."""

    def put(match: re.Match[str]) -> str:
        there = led.get(unescape(match[2][1:-1]).strip())
        return match[0] if there is None else f'{match[1]}"{escape(there)}"'

    return _HREF.sub(put, html)


def in_text(text: str, led: dict[str, str]) -> str:
    """The same for a part that has no markup."""

    def put(match: re.Match[str]) -> str:
        target = _trimmed(match[0])
        return led.get(target, target) + match[0][len(target) :]

    return _BARE.sub(put, text)


def with_pixel(html: str, url: str) -> str:
    """The part with an invisible picture at its end, that is fetched when the mail is looked at."""
    picture = (
        f'<img src="{escape(url)}" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0">'
    )
    end = html.rfind("</body")
    if end < 0:
        end = html.rfind("</BODY")
    return html + picture if end < 0 else html[:end] + picture + html[end:]


@lru_cache(maxsize=4_096)
def with_parameters(target: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """The target with parameters added; what it has already stays as it is, and so does its order."""
    if not parameters:
        return target
    parts = urlsplit(target)
    try:
        known = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100)}
    except ValueError:
        return target
    more = urlencode([(name, value) for name, value in parameters if name not in known], quote_via=quote)
    made = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, more)))))
    return made if web(made) else target


@lru_cache(maxsize=4_096)
def _is_page(target: str) -> bool:
    return bool(web(target))


def _trimmed(url: str) -> str:
    """The address without what ends the sentence around it: marks, and a bracket that was opened before it."""
    while url:
        last = url[-1]
        if last in _AFTER or (last == ")" and url.count(")") > url.count("(")) or (last == "]" and "[" not in url):
            url = url[:-1]
        else:
            break
    return url
