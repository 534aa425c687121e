"""What the sender puts into the dev inbox: a message of a channel that has no provider."""

import msgspec


class DevMessage(msgspec.Struct):
    """One message. `units` is what a provider would charge for."""

    channel: str
    to: str
    subject: str
    text: str
    scenario: str
    trigger_id: str
    message_id: str
    unsubscribe: str
    units: int
