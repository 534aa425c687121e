"""A message gateway as RetailCRM runs it: a WebSocket that tells, two lists that can be asked, and faults on demand."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime

from aiohttp import WSCloseCode, web

TOKEN = "retailcrm-bot-token"


class GatewayServer:
    """`say` tells a frame and remembers what the lists would tell of it; `drop` cuts all connections."""

    def __init__(self):
        self.url = ""
        self.sockets = []
        self.opened = 0
        self.asked = []
        self._asked_since_opened = set()
        self.messages, self.dialogs = [], []
        self.refuse = {}
        """Path -> status (and headers) instead of an answer."""
        self.wrong_tokens = 0
        self.page = 100
        self.deaf = False
        """Whether pings are left without an answer."""
        self.before_list = None
        """Awaited before a list is answered."""

    async def say(self, frame, *, aloud=True):
        """Tell a frame; not `aloud`: only the lists know it."""
        data = frame["data"]
        if "message" in data:
            self.messages.append({**data["message"], "created_at": data["message"]["time"]})
        else:
            self.dialogs = [known for known in self.dialogs if known["id"] != data["dialog"]["id"]]
            self.dialogs.append({**data["dialog"], "chat_id": 90, "updated_at": data["dialog"]["created_at"]})
        if aloud:
            await self.send(frame)

    async def send(self, frame):
        for socket in self.sockets:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_json(frame))

    async def drop(self, code=WSCloseCode.GOING_AWAY):
        """Close all connections."""
        sockets, self.sockets = self.sockets, []
        await asyncio.gather(*(socket.close(code=code) for socket in sockets))

    @property
    def listened_to(self):
        """Whether a reader is connected and has read both lists: what is said from now on it hears from the socket alone."""
        return bool(self.sockets) and self._asked_since_opened == {"messages", "dialogs"}

    def _refusal(self, request):
        if request.headers.get("X-Bot-Token") != TOKEN:
            self.wrong_tokens += 1
            return web.json_response({"errors": ["Unauthorized"]}, status=401)
        told = self.refuse.get(request.path.rsplit("/", 1)[1])
        return web.Response(status=told[0], headers=told[1]) if told else None

    async def socket(self, request):
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        assert request.query["events"] == "message_new,dialog_opened,dialog_closed,dialog_assign"
        socket = web.WebSocketResponse(autoping=not self.deaf)
        await socket.prepare(request)
        self._asked_since_opened.clear()
        self.opened += 1
        self.sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def listed(self, request):
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        what, since = request.path.rsplit("/", 1)[1], datetime.fromisoformat(request.query["since"])
        self.asked.append((what, since.timestamp()))
        self._asked_since_opened.add(what)
        if self.before_list is not None:
            await self.before_list()
        name = "created_at" if what == "messages" else "updated_at"
        known = self.messages if what == "messages" else self.dialogs
        found = [item for item in known if datetime.fromisoformat(item[name]) >= since]
        found.sort(key=lambda item: item[name])
        return web.json_response(found[: min(self.page, int(request.query["limit"]))])


@asynccontextmanager
async def gateway_server():
    server = GatewayServer()
    app = web.Application()
    app.router.add_get("/api/bot/v1/ws", server.socket)
    app.router.add_get("/api/bot/v1/messages", server.listed)
    app.router.add_get("/api/bot/v1/dialogs", server.listed)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await server.drop()
        await runner.cleanup()
