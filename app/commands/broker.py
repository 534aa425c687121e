"""Which Kafka and Redis a command of the keyboard means where none is named: the embedded ones of the data folder."""

from dataclasses import replace

from app.errors import CommandError
from app.settings import Settings


def with_broker(settings: Settings) -> Settings:
    """The settings with Kafka, and Redis where one runs, filled in. Raises CommandError when no Kafka has ever run."""
    from app.embedded.state import State

    state = State(settings.data / "embedded.json")
    if not settings.kafka:
        port = state.number("kafka_port")
        if not port:
            raise CommandError(f"no Kafka has run in {settings.data}; set BOOMERANG_DATA or BOOMERANG_KAFKA")
        settings = replace(settings, kafka=f"kafka://127.0.0.1:{port}")
    if not settings.redis and state.number("valkey_port"):
        settings = replace(settings, redis=f"redis://127.0.0.1:{state.number('valkey_port')}/0")
    return settings
