"""The channels and the folders of templates as the settings want them, without the sender around them."""

from pathlib import Path
from typing import Any

from app.clock import Clock
from app.errors import SettingsError
from app.settings import Settings, split
from app.tokens import inbox_token, load_secret
from channels.channel import Channel
from channels.registry import Options, make_channels
from channels.render import TEMPLATES
from channels.sms.smpp import Heard

_NOT_SETTINGS = frozenset({"smtp", "monotonic", "now", "trust", "dev_inbox_token", "heard", "pace"})
"""Options that are not taken from the settings as they are."""


def template_folders(settings: Settings) -> tuple[Path, ...]:
    """Where templates lie: the shop's folder before ours. Raises SettingsError where there is no such folder."""
    if not settings.templates:
        return (TEMPLATES,)
    own = Path(settings.templates)
    if not own.is_dir():
        raise SettingsError(f"BOOMERANG_TEMPLATES={settings.templates!r} is not a folder")
    return own, TEMPLATES


def channels_of(settings: Settings, clock: Clock, heard: Heard | None = None) -> dict[str, Channel]:
    """The channels that these settings turn on; `heard` takes what providers tell over their own connections. Raises SettingsError (one line that says what to mend)."""
    options = Options(
        **_of_the_same_names(settings),
        smtp=settings.smtp or f"smtp+plain://127.0.0.1:{settings.inbox_port}",
        monotonic=clock.monotonic,
        now=clock.now,
        dev_inbox_token=inbox_token(load_secret(settings)) if settings.dev_inbox else "",
        heard=heard,
    )
    try:
        return make_channels(options)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _of_the_same_names(settings: Settings) -> dict[str, Any]:
    """The options that are settings: a comma-separated one where several values are wanted."""
    several = {name for name, default in Options._field_defaults.items() if isinstance(default, tuple)}
    told = {name: getattr(settings, name) for name in Options._fields if name not in _NOT_SETTINGS}
    return {name: split(value) if name in several else value for name, value in told.items()}
