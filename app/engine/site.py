"""The worker's small web: /metrics, /healthz (the loop answers), /readyz (partitions restored and open)."""

from collections.abc import Callable

from aiohttp import web

from app import metrics


class Site:
    """Serves one worker's state over HTTP."""

    def __init__(self, host: str, port: int, not_ready: Callable[[], str]) -> None:
        """`not_ready` says why the worker is not ready; empty: it is."""
        self._host, self._port, self._not_ready = host, port, not_ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        site = web.Application()
        site.add_routes(
            [web.get("/metrics", self._metrics), web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)]
        )
        self._runner = web.AppRunner(site, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        reason = self._not_ready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)
