"""Cross-origin requests: an allow-list of origins, with credentials. Pure.

An unknown origin gets no CORS headers (the browser then hides the answer), and with a browser key it is refused (403).
"""

from app.web.collector.http import Headers

_METHODS = b"GET, POST, OPTIONS"
_REQUEST_HEADERS = b"authorization, content-type, anonymousid, sentat, x-write-key, x-anonymous-id"
_MAX_AGE = b"7200"
_VARY = (b"vary", b"Origin")


class Origins:
    """The allow-list. Comparison is exact but for case: scheme, host and port."""

    def __init__(self, allowed: list[str]) -> None:
        self._headers: dict[bytes, Headers] = {}
        for origin in allowed:
            told = origin.strip().rstrip("/").lower().encode("latin-1", "ignore")
            if told and told != b"null":
                self._headers[told] = [
                    (b"access-control-allow-origin", told),
                    (b"access-control-allow-credentials", b"true"),
                    (b"access-control-expose-headers", b"Retry-After"),
                    _VARY,
                ]

    def allows(self, origin: bytes | None) -> bool:
        """Whether requests of this Origin header may carry events; a request without one is no browser's."""
        return origin is None or origin in self._headers or origin.lower() in self._headers

    def headers(self, origin: bytes | None) -> Headers:
        """What an answer to this Origin carries, errors included."""
        if origin is None:
            return []
        return self._headers.get(origin) or self._headers.get(origin.lower()) or [_VARY]

    def preflight(self, origin: bytes | None) -> Headers:
        """What an answer to a preflight carries besides `headers`."""
        if origin is None or not self.allows(origin):
            return []
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", _MAX_AGE),
        ]
