"""The event loop of the tests: what a test leaves open is closed with it."""

import asyncio


class TidyLoop(asyncio.SelectorEventLoop):
    """Closes the connections that a test, or a server or client that it ran, left open.

    A server that is closed leaves the connections of clients who were killed to themselves. Left open past their loop they
    would be collected in the middle of some other test, which would fail for them.
    """

    def close(self):
        """Close what is left, and then the loop."""
        if not self.is_closed():
            left = [transport for transport in self._transports.values() if not transport.is_closing()]
            for transport in left:
                transport.abort()
            if left:
                self.run_until_complete(asyncio.sleep(0))  # they let go of their sockets in the loop's next round
        super().close()


class TidyPolicy(asyncio.DefaultEventLoopPolicy):
    """Every loop of the tests' own process is a tidy one, whoever makes it."""

    def new_event_loop(self):
        """Make a tidy loop."""
        return TidyLoop()
