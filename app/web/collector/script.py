"""The tracker's files as they are served: read once, gzipped once, read again when it changes."""

import gzip
import re
from hashlib import blake2b
from pathlib import Path

from app.web.collector.http import TEXT, Headers, Request, Response

TRACKER = Path(__file__).parents[1] / "tracker" / "boomerang.js"
PUSH, WORKER = TRACKER.with_name("boomerang-push.js"), TRACKER.with_name("boomerang-sw.js")
_KEY = re.compile(r"[A-Za-z0-9_-]{87}", re.ASCII)
_NO_KEY = b'const KEY = "";'
_DNT_OFF, _DNT_ON = b'const DNT = "";', b'const DNT = "respect";'

_HEADERS: Headers = [
    (b"content-type", b"text/javascript; charset=utf-8"),
    (b"cache-control", b"public, max-age=300, stale-while-revalidate=86400"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-allow-origin", b"*"),
    (b"vary", b"Accept-Encoding"),
]


class Script:
    """The tracker, with the shop's answer to Do-Not-Track written into it; or one of the files beside it, with the key of web push."""

    def __init__(self, *, respect_dnt: bool = False, path: Path = TRACKER, push_key: str = "") -> None:
        self._path = path
        self._respect_dnt = respect_dnt
        self._push_key = push_key.encode("ascii", "ignore") if _KEY.fullmatch(push_key) else b""
        self._stamp: tuple[int, int] | None = None
        self._plain = self._packed = self._etag = b""

    def response(self, request: Request) -> Response:
        """The script, gzipped where the client takes that; 304 when it has it; 404 when it is not installed."""
        try:
            self._refresh()
        except OSError:
            return Response(404, b"the tracker script is not installed\n", TEXT)
        headers = [*_HEADERS, (b"etag", self._etag)]
        if self._etag in request.headers.get(b"if-none-match", b""):
            return Response(304, b"", headers)
        if b"gzip" in request.headers.get(b"accept-encoding", b""):
            return Response(200, self._packed, [*headers, (b"content-encoding", b"gzip")])
        return Response(200, self._plain, headers)

    def _refresh(self) -> None:
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return
        plain = self._path.read_bytes()
        if self._respect_dnt:
            plain = plain.replace(_DNT_OFF, _DNT_ON)
        plain = plain.replace(_NO_KEY, b'const KEY = "%s";' % self._push_key)
        self._plain = plain
        self._packed = gzip.compress(plain, 9, mtime=0)
        self._etag = b'W/"%s"' % blake2b(plain, digest_size=12).hexdigest().encode()
        self._stamp = stamp
