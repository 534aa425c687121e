"""The process of the chat gateways: settings, Kafka, Redis, one reader for each source, and a port for metrics and health."""

import asyncio
import logging

import uvicorn
import uvloop

from app import metrics
from app.clock import SYSTEM
from app.ending import end
from app.engine.kafka_client import client_options
from app.engine.provision import check_partitions
from app.errors import CommandError
from app.settings import Settings
from app.web.chat import retailcrm
from app.web.chat.authenticity import SourceConfig
from app.web.chat.courier import Courier
from app.web.chat.gateway import Gateway
from app.web.chat.positions import RedisPositions
from app.web.chat.sources import load_sources
from app.web.collector import server
from app.web.collector.app import Seldom, need_port
from app.web.collector.http import TEXT, Message, Receive, Response, Send, answer
from app.web.collector.sink import Sink
from app.web.collector.taking import intake_of
from app.web.phone import country_of

logger = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Read until SIGTERM or SIGINT. Raises CommandError when there is nothing to read, or the port is taken."""
    client_options(settings)
    sources = load_sources(settings.chats).get(retailcrm.NAME)
    if not sources:
        raise CommandError("BOOMERANG_CHATS names no gateway; add a `retailcrm` source to it (docs/chat/retailcrm.md)")
    need_port(settings.chat_gateway_host, settings.chat_gateway_port, "BOOMERANG_CHAT_GATEWAY_PORT")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom(SYSTEM))
    uvloop.run(serve(settings, sources))


async def serve(settings: Settings, sources: dict[str, SourceConfig]) -> None:
    """Read all sources until the process is told to end. A reader that fails in a way that nobody foresaw ends the process.

    Raises CommandError when the topics have another number of partitions.
    """
    await check_partitions(settings)
    positions = RedisPositions(settings.redis, prefix=settings.topic_prefix)
    intake = intake_of(settings, SYSTEM)
    metrics.before_render("chat-gateway", lambda: metrics.READY.set(intake.sink.ready))
    await intake.start()
    courier, country = Courier(settings, intake), country_of(settings.phone_country)
    web = uvicorn.Server(
        server.metrics_config(settings.chat_gateway_host, settings.chat_gateway_port, Health(intake.sink))
    )
    readers = [
        asyncio.ensure_future(Gateway(source, config, courier, positions, SYSTEM, country=country).run())
        for source, config in sources.items()
        if isinstance(config, retailcrm.Config)
    ]
    listening = asyncio.ensure_future(web.serve())
    where = f"http://{settings.chat_gateway_host}:{settings.chat_gateway_port}"
    logger.info("chat gateway of %s, health on %s", ", ".join(sources), where)
    try:
        done, _ = await asyncio.wait([listening, *readers], return_when=asyncio.FIRST_COMPLETED)
    finally:
        web.should_exit = True
        await end(*readers)
        await asyncio.gather(listening, return_exceptions=True)
        await intake.close()
        await positions.close()
    for task in done:
        task.result()


class Health:
    """`/healthz`, `/readyz` and `/metrics` of this process. It is ready when Kafka is: the gateway itself may come later."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["path"] == "/readyz":
            ready = self._sink.ready
            body = b"ready\n" if ready else b"Kafka does not acknowledge\n"
            await answer(send, Response(200 if ready else 503, body, TEXT), [])
        elif scope["path"] == "/healthz":
            await answer(send, Response(200, b"ok\n", TEXT), [])
        else:
            await server.metrics_app(scope, receive, send)
