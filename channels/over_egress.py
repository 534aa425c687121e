"""What channels have in common that speak through the egress client: connections are opened when there is something to say, and a message has one price."""

from channels.channel import Rendered
from channels.egress import Egress


class OneUnit:
    """A channel of which every message costs the same."""

    def units(self, message: Rendered) -> int:
        """One: it has no price by length."""
        del message
        return 1


class OverEgress:
    """Whatever speaks through `_egress`."""

    _egress: Egress

    async def start(self) -> None:
        """Nothing: connections are opened when there is something to say."""

    async def stop(self) -> None:
        """Close the idle connections."""
        await self._egress.close()
