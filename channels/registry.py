"""The channels that we speak: one line each."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from channels import email
from channels.channel import Channel


class Options(NamedTuple):
    """What channels are made from; the settings of the same names. `trust`: file with CA certificates (tests)."""

    smtp: str
    smtp_connections: int
    smtp_timeout: float
    mail_from: str
    monotonic: Callable[[], float]
    trust: str = ""


def _email(options: Options) -> Channel:
    return email.Email(
        smtp=options.smtp,
        connections=options.smtp_connections,
        timeout=options.smtp_timeout,
        sender=options.mail_from,
        monotonic=options.monotonic,
        trust=options.trust,
    )


CHANNELS: Mapping[str, Callable[[Options], Channel]] = {
    email.NAME: _email,
}
"""Name of the channel (as scenarios write it) -> how it is made."""
