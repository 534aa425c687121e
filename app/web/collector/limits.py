"""Rate limits: token buckets in a bounded table, and the address that a request comes from. Pure: `now` is an argument."""

import math
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from app.errors import SettingsError

BURST_SECONDS = 2.0
TABLE_LIMIT = 50_000

Network = IPv4Network | IPv6Network


class Buckets:
    """One token bucket for each name: `rate` tokens a second, a burst of `burst`, or of two seconds' worth.

    When the table is full the bucket that was made first goes; whoever had it starts with a full one.
    """

    def __init__(self, rate: float, *, burst: float = 0.0, limit: int = TABLE_LIMIT) -> None:
        self._rate = rate
        self._burst = max(1.0, burst or rate * BURST_SECONDS)
        self._limit = limit
        self._levels: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        """How many buckets there are."""
        return len(self._levels)

    def take(self, name: str, now: float, *, tokens: float = 1.0) -> int:
        """Take tokens at `now` (seconds), or none (`tokens=0`) to look only: 0, or the seconds to wait when there are too few.

        More than a burst of them count as a burst.
        """
        needed = min(max(tokens, 1.0), self._burst)
        level, at = self._levels.get(name, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        if level < needed:
            return max(1, math.ceil((needed - level) / self._rate))
        if not tokens:
            return 0
        if name not in self._levels and len(self._levels) >= self._limit:
            del self._levels[next(iter(self._levels))]
        self._levels[name] = (level - needed, now)
        return 0


class Proxies:
    """Whose `X-Forwarded-For` is believed: addresses or networks. Raises SettingsError for anything else."""

    def __init__(self, trusted: list[str]) -> None:
        try:
            self._trusted: list[Network] = [ip_network(item, strict=False) for item in trusted]
        except ValueError as error:
            raise SettingsError(f"BOOMERANG_TRUSTED_PROXIES: {error}") from None

    def client(self, peer: str, forwarded: str) -> str:
        """The name under which a client is limited: its address, of IPv6 the /64 network.

        Read from the right: the last address that no trusted proxy has. What a client writes itself stands further left.
        """
        if not self._trusted or not self.trusts(peer):
            return _bucket(peer)
        address = peer
        for hop in reversed(forwarded.split(",")[-20:]):
            told = hop.strip()
            if _parse(told) is None:
                break
            address = told
            if not self.trusts(told):
                break
        return _bucket(address)

    def trusts(self, address: str) -> bool:
        """Whether what the peer at `address` says of its clients is believed."""
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


@lru_cache(maxsize=4_096)
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


@lru_cache(maxsize=4_096)
def _bucket(address: str) -> str:
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed) if parsed is not None else address[:64]
