"""What both kinds of webhook, of messengers and of the team's bot, answer when a request is refused or cannot be stored."""

from collections.abc import Awaitable

from app.metrics import COLLECTOR_REJECTED
from app.model.reasons import BadInput
from app.web.collector.body import TooLarge
from app.web.collector.declined import Declined
from app.web.collector.http import Overloaded, Response
from app.web.collector.intake import Unavailable
from app.web.collector.refusal import Refused

GUESSES_PER_SECOND = 10.0
"""Requests that are not genuine, allowed to one address before its bodies are not even read."""


async def answered(work: Awaitable[Response], body_limit: int) -> Response:
    """The answer of `work`, or the one to what it raised. `body_limit`: bytes, for the text of a 413."""
    try:
        return await work
    except Declined as declined:
        return declined.response()
    except Refused as refused:
        COLLECTOR_REJECTED.labels(refused.reason).inc()
        return Declined(400, refused.reason, str(refused)).response()
    except TooLarge:
        return Declined(413, BadInput.TOO_LARGE, f"a body may have {body_limit} bytes").response()
    except (Unavailable, Overloaded) as error:
        after = error.retry_after if isinstance(error, Unavailable) else 1
        return Declined(503, "unavailable", "this cannot be stored now, send it again", after).response()
