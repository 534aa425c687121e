"""Where products told by a browser may point to: the shop's own hosts. Pure.

A browser key can be read in the page, and what it tells ends in mails, also as a similar product in the mails of others. Without
this rule a stranger could have the shop send links and pictures of his own.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

_HOST = re.compile(r"https?://([\w.-]+)(?::\d+)?(?=[/?#]|$)", re.IGNORECASE)
_PATH = re.compile(r"/(?![/\\])|$")
_ADDRESSES = ("url", "image_url")


class OwnHosts:
    """The hosts of the shop, with their subdomains; of `www.shop.example` also its siblings."""

    def __init__(self, places: Iterable[str]) -> None:
        """`places` are addresses, origins or bare host names."""
        hosts = (urlsplit(place if "://" in place else f"//{place}").hostname or "" for place in places)
        self._hosts = frozenset(host.removeprefix("www.") for host in hosts if host)

    def __contains__(self, url: str) -> bool:
        """Whether an address is a path, or one of our hosts has it."""
        found = _HOST.match(url)
        if found is None:
            return _PATH.match(url) is not None
        host = found[1].lower()
        while host not in self._hosts:
            _, dot, host = host.partition(".")
            if not dot:
                return False
        return True

    def keep_own(self, properties: dict[str, Any]) -> int:
        """Remove, in place, addresses of others from the properties of an event and from its lines; returns how many went."""
        products = properties.get("products")
        dropped = 0
        for source in (properties, *(products if type(products) is list else ())):
            for name in _ADDRESSES:
                value = source.get(name)
                if value is not None and (type(value) is not str or value not in self):
                    del source[name]
                    dropped += 1
        return dropped
