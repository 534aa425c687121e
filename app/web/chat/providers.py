"""The providers that call us. A new one is a file with these five things, and a line here."""

from collections.abc import Callable
from typing import Any, NamedTuple

from app.web.chat import chatwoot, retailcrm, telegram, vk, whatsapp
from app.web.chat.authenticity import Call, SourceConfig, Verdict
from app.web.chat.found import Found, Place


class Provider(NamedTuple):
    """How one provider is understood. All functions are pure and raise nothing but `Refused`.

    `verify(call, config, now)` says whether a request is genuine, `events(document, config, place)` what it tells; `ok` is what
    the provider wants to read. `challenge(query, config)` answers its GET, `handshake(document, config)` a POST that asks
    rather than tells.
    """

    name: str
    config: type[SourceConfig]
    verify: Callable[[Call, Any, float], Verdict]
    events: Callable[[dict[str, Any], Any, Place], Found]
    ok: bytes
    challenge: Callable[[dict[str, str], Any], str | None] | None = None
    handshake: Callable[[dict[str, Any], Any], bytes | None] | None = None


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider(telegram.NAME, telegram.Config, telegram.verify, telegram.events, telegram.OK),
        Provider(
            whatsapp.NAME, whatsapp.Config, whatsapp.verify, whatsapp.events, whatsapp.OK, challenge=whatsapp.challenge
        ),
        Provider(vk.NAME, vk.Config, vk.verify, vk.events, vk.OK, handshake=vk.confirmation),
        Provider(chatwoot.NAME, chatwoot.Config, chatwoot.verify, chatwoot.events, chatwoot.OK),
    )
}
"""By name."""

CONFIGS: dict[str, type[SourceConfig]] = {name: provider.config for name, provider in PROVIDERS.items()} | {
    retailcrm.NAME: retailcrm.Config
}
"""What each provider needs to know of a source; also of the one that is asked rather than waited for."""
