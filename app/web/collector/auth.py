"""Write keys: where clients put them, and what kind they are. Pure.

Looked at in this order, the first known one counts: Basic user name, Bearer token, `X-Write-Key` (Jitsu's `id:secret`,
or its id alone), `?writeKey=`, the body's `writeKey`. An unknown or missing key is answered with 401 (without
`WWW-Authenticate`, which would open a dialog in a browser).
"""

import base64
import binascii
from typing import NamedTuple

from app.web.collector.http import Request


class Key(NamedTuple):
    """A known write key and its kind: `browser` or `server`."""

    name: str
    kind: str


class Keys:
    """The known write keys."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self._keys = {name: Key(name, kind) for name, kind in kinds.items()}
        self._basic = {
            f"Basic {base64.b64encode(f'{name}:'.encode()).decode()}".encode(): key for name, key in self._keys.items()
        }

    def of_name(self, name: object) -> Key | None:
        """The key of that name."""
        return self._keys.get(name) if type(name) is str else None

    def of_request(self, request: Request) -> Key | None:
        """The known key of a request's headers or query."""
        told = request.headers.get(b"authorization")
        if told is not None:
            key = self._basic.get(told) or self._of_authorization(told)
            if key is not None:
                return key
        written = request.header(b"x-write-key")
        if written:
            key = self._keys.get(written) or self._keys.get(written.split(":", 1)[0])
            if key is not None:
                return key
        return self._keys.get(request.parameter("writeKey")) if request.query else None

    def _of_authorization(self, told: bytes) -> Key | None:
        scheme, _, value = told.decode("latin-1").strip().partition(" ")
        if scheme.lower() == "bearer":
            return self._keys.get(value.strip())
        if scheme.lower() != "basic":
            return None
        try:
            decoded = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        return self._keys.get(decoded.rstrip(":")) or self._keys.get(decoded.split(":", 1)[0])
