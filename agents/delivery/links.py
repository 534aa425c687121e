"""The links of ours that go out with a message: to unsubscribe, to confirm a consent, for the provider's receipts, tracked links and the open pixel.

All are signed, and none can be guessed.
"""

from app.model.receipt import Spoken
from app.model.trigger import Trigger
from app.settings import Settings
from app.tokens import (
    Confirming,
    Tracked,
    Unsubscribe,
    confirm_token,
    link_token,
    pixel_token,
    receipt_token,
    return_code,
    short_code,
    unsubscribe_token,
)
from channels.channel import Channel, Rendered, provider_of


class Links:
    """Makes them. `secret` is the installation's (app/tokens.py)."""

    def __init__(self, settings: Settings, secret: str) -> None:
        self._base, self._secret = settings.public_base, secret
        self._reachable = bool(settings.public_url)

    def unsubscribe(self, message_id: str, trigger: Trigger, channel: str, address: str) -> str:
        """The link that ends marketing messages to an address."""
        what = Unsubscribe(trigger.customer, channel, address, message_id)
        return f"{self._base}/u/{unsubscribe_token(self._secret, what, trigger.fired_at)}"

    def confirm(self, message_id: str, trigger: Trigger, channel: str, address: str) -> str:
        """The link that confirms the consents that a message asks for."""
        del channel
        what = Confirming(trigger.customer, address, message_id, trigger.confirm_until)
        return f"{self._base}/c/{confirm_token(self._secret, what)}"

    def receipt(self, message_id: str, trigger: Trigger, channel: Channel) -> str:
        """Where the provider may tell what became of a message; "" where no provider reaches us."""
        if not self._reachable:
            return ""
        token = self.receipt_token(message_id, trigger, channel.name)
        return f"{self._base}/receipts/{provider_of(channel)}?t={token}"

    def receipt_token(self, message_id: str, trigger: Trigger, channel: str) -> str:
        """What stands for a message in its receipts."""
        return receipt_token(self._secret, _spoken(message_id, trigger, channel), trigger.fired_at)

    def tracked(self, trigger: Trigger, channel: str, message: Rendered, number: int, target: str) -> str:
        """The token of the link to target number `number` of a message."""
        spoken = _spoken(message.message_id, trigger, channel)
        return link_token(self._secret, Tracked(spoken, message.at, number, target))

    def code(self, message: Rendered, number: int) -> str:
        """What stands for that token where letters are paid for."""
        return short_code(self._secret, message.message_id, number)

    def return_code(self, message_id: str) -> str:
        """What stands for a mail in its return path."""
        return return_code(self._secret, message_id)

    def over_us(self, token: str) -> str:
        """The link over the collector, for a token or what stands for it."""
        return f"{self._base}/r/{token}"

    def pixel(self, trigger: Trigger, channel: str, message: Rendered) -> str:
        """The address of the picture that is fetched when a mail is looked at."""
        spoken = _spoken(message.message_id, trigger, channel)
        return f"{self._base}/o/{pixel_token(self._secret, spoken, message.at)}"

    def is_ours(self, target: str) -> bool:
        """Whether a link leads to the collector already: one to unsubscribe."""
        return target.startswith(self._base + "/")


def _spoken(message_id: str, trigger: Trigger, channel: str) -> Spoken:
    return Spoken(trigger.customer, channel, message_id, trigger.scenario)
