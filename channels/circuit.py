"""A circuit breaker for each provider: who fails again and again is left alone for a while, and then asked with one message. Pure.

What fails here is what costs messages: a provider that swallows them without an answer, or refuses our credentials after the moment
was granted. One that cannot be reached costs nothing, and its lane waits by itself.
"""

from collections import OrderedDict
from typing import NamedTuple

from channels import retry

FAILURES = 5
"""In a row, until the circuit opens."""
BASE, LONGEST = 5.0, 300.0
"""Seconds: the first pause, and the longest one."""
PROBING = 1.0
"""Seconds after which the others look again while one message tries."""
MOST = 1_000
"""Providers and accounts that are remembered; the one that failed longest ago is forgotten first."""


class Circuit(NamedTuple):
    """`until` is when it may be tried again, in seconds of the monotonic clock."""

    failures: int = 0
    until: float = 0.0
    probing: bool = False


class Circuits:
    """The circuits of all providers. One that is not known is closed: everything goes."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Circuit] = OrderedDict()

    def ask(self, name: str, now: float) -> float:
        """0: go ahead, and tell how it went; else the seconds after which to ask again."""
        circuit = self._open.get(name)
        if circuit is None or circuit.failures < FAILURES:
            return 0.0
        if circuit.until > now:
            return circuit.until - now
        if circuit.probing:
            return PROBING
        self._open[name] = circuit._replace(probing=True)
        return 0.0

    def succeeded(self, name: str) -> None:
        """The provider answered, whatever it said of the message."""
        self._open.pop(name, None)

    def undecided(self, name: str) -> None:
        """The provider was not asked after all, or could not be reached."""
        circuit = self._open.get(name)
        if circuit is not None and circuit.probing:
            self._open[name] = circuit._replace(probing=False)

    def failed(self, name: str, now: float) -> bool:
        """The provider failed. Whether the circuit has opened by it."""
        failures = self._open.get(name, Circuit()).failures + 1
        pause = 0.0
        if failures >= FAILURES:
            ceiling = min(LONGEST, BASE * 2.0 ** min(failures - FAILURES, 10))
            pause = ceiling * (0.5 + 0.5 * retry.fraction(name, failures))
        self._open[name] = Circuit(failures, now + pause)
        self._open.move_to_end(name)
        while len(self._open) > MOST:
            self._open.popitem(last=False)
        return failures == FAILURES


def name_of(channel: str, address: str, *, alert: bool) -> str:
    """The circuit of a message: the channel's, or of channels with several accounts the account's; of an alert its chat's."""
    if alert:
        return f"{channel}:{address}"
    account, colon, _ = address.partition(":")
    return f"{channel}:{account}" if colon else channel
