"""Whose receipts are understood. A new provider is a file with two or three of these things, and a line here."""

from collections.abc import Callable
from typing import Any, NamedTuple

from app.web.chat.authenticity import Call, Secret, Verdict
from app.web.receipts import events, exolve, mailreport, smsaero, smsc, twilio
from app.web.receipts.told import Told


class Provider(NamedTuple):
    """How one provider is understood. All functions are pure and raise nothing but `Refused`.

    `read(document)` says what a body tells, `verify(call, url, secret, now)` whether a request is genuine: None where the provider
    signs nothing, and its address has to carry a word of ours instead. `open`: the address of a message's receipts may be known to
    its customer too (a browser's push, a mail's header); without a signature it is only believed that the message arrived.
    """

    name: str
    channel: str
    read: Callable[[Any], list[Told]]
    ok: bytes
    verify: Callable[[Call, str, Secret, float], Verdict] | None = None
    open: bool = False
    raw: bool = False
    """Whether the body is neither JSON nor a form, and `read` gets it as it came."""


OWN = ("email", "sms", "whatsapp", "telegram", "vk", "webpush", "fcm", "webhook")
"""Channels under whose own name everybody else may tell of them, in our form."""

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider(twilio.NAME, twilio.CHANNEL, twilio.read, twilio.OK, twilio.verify),
        Provider(smsc.NAME, smsc.CHANNEL, smsc.read, smsc.OK, smsc.verify),
        Provider(smsaero.NAME, smsaero.CHANNEL, smsaero.read, smsaero.OK),
        Provider(exolve.NAME, exolve.CHANNEL, exolve.read, exolve.OK),
        Provider(mailreport.NAME, mailreport.CHANNEL, mailreport.read, mailreport.OK, open=True, raw=True),
        *(Provider(name, name, events.read, events.OK, events.verify, open=True) for name in OWN),
    )
}
"""By the name in the path."""
