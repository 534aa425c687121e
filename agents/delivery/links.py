"""The links of ours that go out with a message: to unsubscribe, and for the provider's receipts. All signed, none to be guessed."""

from app.model.trigger import Trigger
from app.settings import Settings
from app.tokens import Spoken, Unsubscribe, receipt_token, unsubscribe_token
from channels.channel import Channel, provider_of


class Links:
    """Makes them. `secret` is the installation's (app/tokens.py)."""

    def __init__(self, settings: Settings, secret: str) -> None:
        self._base, self._secret = settings.public_base, secret
        self._reachable = bool(settings.public_url)

    def unsubscribe(self, message_id: str, trigger: Trigger, channel: str, address: str) -> str:
        """The link that ends marketing messages to an address."""
        what = Unsubscribe(trigger.customer, channel, address, message_id)
        return f"{self._base}/u/{unsubscribe_token(self._secret, what, trigger.fired_at)}"

    def receipt(self, message_id: str, trigger: Trigger, channel: Channel) -> str:
        """Where the provider may tell what became of a message; "" where no provider reaches us."""
        if not self._reachable:
            return ""
        what = Spoken(trigger.customer, channel.name, message_id, trigger.scenario)
        return f"{self._base}/receipts/{provider_of(channel)}?t={receipt_token(self._secret, what, trigger.fired_at)}"
