"""What a visitor's device is, for `Event.deviceKind`: a kind and a system, as `mobile android`. Pure.

What the context says of itself counts first (`context.device.type`, `context.os.name`, as Segment's mobile libraries and others tell),
else the browser's name: `context.userAgent`, or the header of the request where the key is a browser's.

A closed table, and no library: of two hundred browsers and thousands of models, which such a library tells apart by as many patterns, a shop
asks for four kinds, and those stand in a few words that browsers have kept for a decade. Who is none of them is unknown.
"""

from functools import lru_cache
from typing import Any

from app.web.collector.context import USER_AGENT_LIMIT

_TYPES = {
    "mobile": "mobile", "phone": "mobile", "smartphone": "mobile", "tablet": "tablet",
    "desktop": "desktop", "computer": "desktop", "pc": "desktop", "app": "app", "ios": "app", "android": "app",
}  # fmt: skip
_NAMES = {
    "android": "android", "ios": "ios", "iphone os": "ios", "ipados": "ios", "windows": "windows", "macos": "macos",
    "mac os": "macos", "mac os x": "macos", "os x": "macos", "linux": "linux", "chromeos": "chromeos", "chrome os": "chromeos",
}  # fmt: skip
_NOBODY = (
    "bot",
    "crawl",
    "spider",
    "headless",
    "smart-tv",
    "smarttv",
    "android tv",
    "appletv",
    "hbbtv",
    "web0s",
    "tizen",
)
"""Words, in small letters, of what is no visitor's device, or one that nobody writes scenarios for."""
_AGENTS = (
    (("iPad",), "tablet ios"),
    (("iPhone",), "mobile ios"),
    (("iPod",), "mobile ios"),
    (("Windows Phone",), "mobile windows"),
    (("okhttp/",), "app android"),
    (("Dalvik/",), "app android"),
    (("CFNetwork/",), "app ios"),
    (("Android", "Mobile"), "mobile android"),
    (("Android",), "tablet android"),
    (("(Phone; OpenHarmony",), "mobile other"),
    (("CrOS",), "desktop chromeos"),
    (("Windows NT",), "desktop windows"),
    (("Macintosh",), "desktop macos"),
    (("X11;", "Linux"), "desktop linux"),
)
"""The first whose words all stand in the name counts."""


def device_of(context: dict[str, Any], agent: str) -> str:
    """The kind and the system, or nothing. `agent` is the name of the browser that asks; empty: it is not the customer's."""
    told = context.get("userAgent")
    name = told if type(told) is str else agent
    seen = _of_agent(name[:USER_AGENT_LIMIT]) if name else ""
    device = context.get("device")
    kind = _TYPES.get(_word(device, "type")) if type(device) is dict else None
    if kind is None:
        return seen
    word = _word(device, "type")
    system = _NAMES.get(_word(context.get("os"), "name")) or _NAMES.get(word) or seen.partition(" ")[2]
    return f"{kind} {system or 'other'}"


def _word(told: Any, name: str) -> str:
    value = told.get(name) if type(told) is dict else None
    return value.strip().lower() if type(value) is str else ""


@lru_cache(maxsize=4_096)
def _of_agent(agent: str) -> str:
    small = agent.lower().replace("cubot", "")  # a maker of telephones
    if any(word in small for word in _NOBODY):
        return ""
    return next((told for words, told in _AGENTS if all(word in agent for word in words)), "")
