"""Why an event is refused. Pure."""

from app.model.reasons import BadInput


class Refused(Exception):  # noqa: N818 - a verdict, not a fault of the program
    """An event that cannot be used: a `BadInput`, and the field that it is about (never the field's value)."""

    def __init__(self, reason: BadInput, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
