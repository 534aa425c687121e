"""When certificates and tokens expire that connections of ours stand on, as metrics: an expired one ends the night's sleep.

Most providers do not tell when a token ends; `BOOMERANG_TOKEN_EXPIRIES` does, once somebody has written it down.
"""

import ssl
from pathlib import Path

from app import metrics
from app.settings import Settings


def expiry_of(cafile: str) -> float | None:
    """When the first certificate of a PEM file expires (epoch seconds); None where it names none, or cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=Path(cafile).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return min((ssl.cert_time_to_seconds(str(found["notAfter"])) for found in context.get_ca_certs()), default=None)


def note_expiries(settings: Settings) -> None:
    """Set the metric for each certificate file and each token of the settings."""
    for name, at in settings.token_ends.items():
        metrics.CREDENTIAL_EXPIRY.labels(name).set(at)
    for name, file in (("kafka_ca", settings.kafka_cafile),):
        ends = expiry_of(file) if file else None
        if ends is not None:
            metrics.CREDENTIAL_EXPIRY.labels(name).set(ends)
