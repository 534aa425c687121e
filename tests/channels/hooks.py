"""A provider's side over HTTP, in the test's own loop: keeps what it was sent, answers as told, and can hang or close at any moment."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit


class Request(NamedTuple):
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Hook:
    """`answer(request)` gives (status, headers, body). `fault`: "", close_before, hang_before, close_after or hang_after."""

    def __init__(self, answer, fault):
        self.answer, self.fault = answer, fault
        self.requests = []
        self.connections = 0
        self.errors = []
        self.port = 0
        self.reached = asyncio.Event()
        self.release = asyncio.Event()

    @property
    def url(self):
        """Where the connection itself fails, a handshake has to be under way: nothing was handed over yet."""
        scheme = "https" if self.fault.endswith("before") else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def __call__(self, reader, writer):
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.close()

    async def _serve(self, reader, writer):
        if self.fault.endswith("before"):
            self.reached.set()
            if self.fault == "hang_before":
                await self.release.wait()
            return
        while True:
            request = await _read(reader)
            self.requests.append(request)
            if self.fault:
                self.reached.set()
                if self.fault == "hang_after":
                    await self.release.wait()
                return
            status, headers, body = self.answer(request)
            head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            await writer.drain()


async def _read(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    assert method in ("POST", "GET")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
    return Request(urlsplit(target).path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def fine(_request):
    return 200, {}, b"ok"


@asynccontextmanager
async def hook(answer=fine, fault="", tls=None):
    """A running provider; `tls`: its server context."""
    served = Hook(answer, fault)
    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        served.release.set()
        server.close()
    if served.errors:
        raise served.errors[0]
