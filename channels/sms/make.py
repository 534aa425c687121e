"""The SMS channel as the settings want it."""

from collections.abc import Callable, Mapping

from channels.egress import Egress
from channels.rate import Rate
from channels.sms.aero import Aero
from channels.sms.carrier import Gateway, OverHttp
from channels.sms.channel import Sms
from channels.sms.exolve import Exolve
from channels.sms.smpp import NAME as SMPP
from channels.sms.smpp import Smpp
from channels.sms.smsc import Smsc
from channels.sms.twilio import Twilio

GATEWAYS: Mapping[str, Callable[..., Gateway]] = {"exolve": Exolve, "smsaero": Aero, "smsc": Smsc, "twilio": Twilio}
"""BOOMERANG_SMS_PROVIDER -> its HTTP API."""
PROVIDERS = (*GATEWAYS, SMPP)


def make(
    *,
    provider: str,
    key: str,
    sender: str,
    api: str,
    most: int,
    egress: Callable[[], Egress],
    rate: Rate,
    smpp: Callable[[], Smpp],
) -> Sms | None:
    """The channel, or None without a provider. Raises ValueError with one line that says what to mend."""
    if not provider:
        return None
    if provider == SMPP:
        return Sms(provider, smpp(), rate, most)
    gateway = GATEWAYS.get(provider)
    if gateway is None:
        raise ValueError(f"BOOMERANG_SMS_PROVIDER={provider!r} must be one of {', '.join(PROVIDERS)}, or empty")
    return Sms(provider, OverHttp(gateway(key=key, sender=sender, api=api), egress()), rate, most)
