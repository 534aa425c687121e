"""What the settings say of tracking: what is tracked, and the parameters of links. Pure."""

import re
from urllib.parse import parse_qsl

from app.errors import SettingsError
from app.settings import Settings, split

LINKS, OPENS = "links", "opens"
"""What can be tracked."""
_PLACE = re.compile(r"\{(\w*)\}")
_PLACES = ("channel", "scenario")


def check_tracking(settings: Settings) -> tuple[frozenset[str], "Utm"]:
    """What is tracked, and the parameters of links. Raises SettingsError when one of the settings cannot be used."""
    tracked = frozenset(split(settings.tracking))
    if not tracked <= {LINKS, OPENS}:
        raise SettingsError(f"BOOMERANG_TRACKING must name {LINKS}, {OPENS}, both, or be empty")
    return tracked, Utm(settings.utm)


class Utm:
    """The parameters of BOOMERANG_UTM for a message. Raises SettingsError when the setting cannot be used."""

    def __init__(self, setting: str) -> None:
        try:
            self._parameters = parse_qsl(
                setting, keep_blank_values=True, strict_parsing=bool(setting), max_num_fields=20
            )
        except ValueError as error:
            raise SettingsError(
                f"BOOMERANG_UTM must look like utm_source=boomerang&utm_medium={{channel}}: {error}"
            ) from None
        for _, value in self._parameters:
            if unknown := [name for name in _PLACE.findall(value) if name not in _PLACES]:
                raise SettingsError(f"BOOMERANG_UTM: {{{unknown[0]}}} is not one of {', '.join(_PLACES)}")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._parameters)

    def of(self, channel: str, scenario: str) -> tuple[tuple[str, str], ...]:
        """Names and values for a message."""
        places = {"channel": channel, "scenario": scenario}
        return tuple((name, _PLACE.sub(lambda found: places[found[1]], value)) for name, value in self._parameters)
