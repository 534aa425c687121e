"""Requests for a link or a picture that no person made: prefetchers, link scanners, previews, proxies of pictures. Pure.

They are answered like everybody else, so that a scanner sees the page that the customer would see; they are only not counted.
"""

import re
from enum import StrEnum

TOO_SOON = 1.0
"""Seconds after a message was made in which nobody can have read it."""

_AGENTS = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|preview|prefetch|monitor|fetch|headless|phantom|validator|linkcheck"
    r"|facebookexternalhit|whatsapp/|telegram|skype|vkshare|viber|discord|embedly|quora link|pinterest/"
    r"|barracuda|mimecast|proofpoint|forcepoint|trendmicro|trend micro|symantec|safelinks|microsoft office|ms-office|msoffice"
    r"|mail\.ru/|yandex(?:\.com/bots|images|direct|metrika)|python-|aiohttp|curl/|wget/|java/|okhttp|go-http|libwww|apache-httpclient"
    r"|axios|node-fetch|node\.js|ruby|perl",
    re.IGNORECASE | re.ASCII,
)
_PICTURE_PROXIES = re.compile(r"googleimageproxy|yahoomailproxy|ggpht\.com|outlookimageproxy", re.IGNORECASE | re.ASCII)
_APPLE = "Mozilla/5.0"
"""All that Apple's Mail Privacy Protection says of itself; it fetches every picture of every mail, whether it is looked at or not."""
_GMAIL_AHEAD = "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
"""How Gmail ends its name when it fetches pictures before anybody has opened the mail."""
_AHEAD = ("prefetch", "preview", "prerender", "instant")


class Sign(StrEnum):
    """By what a request is known as no person's."""

    HEAD = "head"
    AHEAD = "prefetch"
    AGENT = "agent"
    PROXY = "proxy"
    SOON = "too_soon"
    BURST = "burst"


def sign(method: str, agent: str, purposes: str, age: float, *, picture: bool) -> Sign | None:
    """What gives a request away, or None. `purposes`: the headers Purpose, Sec-Purpose, X-Purpose, X-Moz together; `age`: of the message, seconds.

    A proxy of pictures that fetches when the mail is opened (Gmail, Yahoo) tells of an open, and nothing of a link.
    """
    if method == "HEAD":
        return Sign.HEAD
    if any(word in purposes.lower() for word in _AHEAD):
        return Sign.AHEAD
    told = agent.strip()
    if told == _APPLE or told.endswith(_GMAIL_AHEAD):
        return Sign.PROXY
    if _PICTURE_PROXIES.search(told):
        return None if picture else Sign.PROXY
    if not told or _AGENTS.search(told):
        return Sign.AGENT
    return Sign.SOON if age < TOO_SOON else None
