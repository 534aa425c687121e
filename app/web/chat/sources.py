"""The file of chat sources (`BOOMERANG_CHATS`): which accounts of which providers may speak to us, and their secrets.

    telegram:
      shop: {secret: "..."}
    vk:
      club: {group_id: 1, secret: "...", confirmation: "..."}

A source's name is the last part of its address, `/chat/vk/club`.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from app.errors import SettingsError
from app.web.chat.authenticity import SourceConfig
from app.web.chat.providers import CONFIGS

MOST_BYTES = 256 * 1024
MOST_SOURCES = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

Sources = dict[str, dict[str, SourceConfig]]
"""Provider -> source -> what to know of it."""


def load_sources(path: str) -> Sources:
    """The sources of a file; of an empty path none. Raises SettingsError that names the place, never a value."""
    if not path:
        return {}
    try:
        raw = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise SettingsError(f"BOOMERANG_CHATS: {path}: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise SettingsError(f"BOOMERANG_CHATS: {path}: larger than {MOST_BYTES // 1024} KiB")
    try:
        return parse_sources(raw.decode())
    except UnicodeDecodeError:
        raise SettingsError(f"BOOMERANG_CHATS: {path}: not UTF-8") from None
    except SettingsError as error:
        raise SettingsError(f"BOOMERANG_CHATS: {path}: {error}") from None


def parse_sources(text: str) -> Sources:
    """The sources of a YAML text. Raises SettingsError that names the place, never a value."""
    try:
        document: Any = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise SettingsError(f"line {line} is not YAML") from None
    except yaml.YAMLError:
        raise SettingsError("it is not YAML") from None
    sources = {name: _of_provider(name, raw) for name, raw in _mapping(document or {}, "the file").items()}
    if sum(map(len, sources.values())) > MOST_SOURCES:
        raise SettingsError(f"more than {MOST_SOURCES} sources")
    return sources


def _of_provider(provider: str, raw: Any) -> dict[str, SourceConfig]:
    config = CONFIGS.get(provider)
    if config is None:
        raise SettingsError(f"there is no provider {provider[:40]!r}; there are: {', '.join(CONFIGS)}")
    found = {}
    for source, told in _mapping(raw, provider).items():
        if not _NAME.fullmatch(source):
            raise SettingsError(f"{provider}: the name {source[:60]!r} must be 1 to 40 of a-z, 0-9, _ and -")
        try:
            found[source] = msgspec.convert(told, config)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{provider}.{source}: {error}") from None
    return found


def _mapping(raw: Any, where: str) -> dict[str, Any]:
    if type(raw) is not dict or not all(type(name) is str for name in raw):
        raise SettingsError(f"{where}: must be a mapping of names")
    return raw
