"""The answer to a request that is refused as a whole. Pure."""

import orjson

from app.web.collector.http import Response


class Declined(Exception):  # noqa: N818 - an answer, not a fault of the program
    """The whole request is refused, with this status; `reason` is one word, `retry_after` seconds or 0."""

    def __init__(self, status: int, reason: str, text: str, retry_after: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.text = text
        self.retry_after = retry_after

    def response(self) -> Response:
        """The answer: one line of JSON."""
        body = orjson.dumps({"success": False, "ok": False, "reason": self.reason, "error": self.text})
        response = Response(self.status, body)
        if self.retry_after:
            response.headers = [*response.headers, (b"retry-after", b"%d" % self.retry_after)]
        return response
