"""What a status of an HTTP API means where its body says no more. An address is never dead because an API answers 404. Pure."""

from channels.channel import Ambiguous, Answer, Misconfigured, Rejected, Retry
from channels.egress import Reply


def by_status(reply: Reply, setting: str) -> Answer:
    """What a status means where the body says no more. `setting` names what to mend. 2xx without what it should hold is a riddle.

    5xx other than 503 may come from something between us and a provider who has the message.
    """
    match reply.status:
        case 401 | 402 | 403 | 404 | 405:
            return Misconfigured(f"{reply}: see {setting}")
        case 408 | 425 | 429 | 503:
            return Retry(reply.after, str(reply))
        case status if 200 <= status < 300 or status >= 500:
            return Ambiguous(str(reply))
        case _:
            return Rejected(str(reply), suppress=False)
