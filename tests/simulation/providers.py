"""The providers' own side of everything that goes out over HTTP: SMS Aero, Meta's Cloud API, Google's two services. They have moods.

Each checks what it is asked as its documentation says; what it finds wrong is a violation of the run.
"""

import asyncio
import base64
import functools
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from app.model.receipt import read_callback_data
from channels import fcm
from channels.channel import Ambiguous, Down
from channels.egress import Reply
from channels.jwt import rsa_of
from channels.rate import Rate
from channels.sms.make import make as make_sms
from channels.whatsapp import WhatsApp

AERO, META, GOOGLE = "https://aero.example", "https://graph.example", "https://fcm.example"
TOKENS = "https://oauth.example/token"
SMS_KEY = "shop@shop.example:0123456789abcdef"
META_TOKEN, META_NUMBER = "EAAsystemuser0123456789", "106540352242922"
ACCESS = "ya29.access-token"
PROJECT = "shop-example"
TIMEOUT = 10.0
"""Seconds after which a client gives an answer up."""
WORKERS = 3
"""Of each channel: hundreds that wait for a dozen messages would only take time."""
PER_SECOND = 0.5
"""Short messages that the account may send: as slow as that, so that some wait for their turn."""


class Handed(NamedTuple):
    """What a provider reads in a request: whose message it is, where it goes, and what it says."""

    channel: str
    message_id: str
    address: str
    content: str


class Providers:
    """All of them, one for all senders."""

    def __init__(self, rng, wall, violate):
        self.rng, self.wall, self._violate = rng, wall, violate
        self.accepted = []
        """(message id, true time), one for each time that a message was taken."""
        self.on_handed = lambda _handed: None
        """Told of each message that was shown to a provider, taken or not."""
        self.on_taken = lambda _message_id: None
        self.down_until = self.moody_until = 0.0
        self.calm = False
        self.lost = Counter()
        """Message id -> how often nobody was told whether it was taken."""

    def read(self, url, body, headers):
        """The message in a request; None: it asks for an access token. What is wrong with a request is a violation."""
        try:
            return _READERS[urlsplit(url).hostname](url, body, headers)
        except Exception as error:
            self._violate(f"a provider cannot read what it is asked: {type(error).__name__} {error}")
            raise

    def mood(self):
        """ok, or how a request goes wrong."""
        if self.calm:
            return "ok"
        luck = self.rng.random() * (0.25 if self.wall.monotonic() < self.moody_until else 1.0)
        for mood, upto in (
            ("limit", 0.04), ("busy", 0.06), ("no", 0.065), ("dead", 0.075), ("account", 0.08), ("lost", 0.09),
            ("taken-and-lost", 0.115), ("taken-and-500", 0.125), ("taken-and-hang", 0.13),
        ):  # fmt: skip
            if luck < upto:
                return mood
        return "ok"


class Wire:
    """Stands for channels.egress.Egress, in one process."""

    def __init__(self, providers, process):
        self._providers, self._process = providers, process

    async def ask(self, url, body, headers, irreversible):
        providers, process = self._providers, self._process
        handed = providers.read(url, body, headers)
        await process.io()
        if providers.wall.monotonic() < providers.down_until:
            return Down(None, "connection refused")
        if handed is None:
            return _json(200, {"access_token": ACCESS, "expires_in": 3599, "token_type": "Bearer"})
        await process.world.is_slow(handed.message_id)
        process.fault("http connected")
        await irreversible()
        process.fault("in flight")
        await process.io()
        providers.on_handed(handed)
        mood = providers.mood()
        if mood == "ok" or mood.startswith("taken"):
            providers.accepted.append((handed.message_id, providers.wall.true()))
            providers.on_taken(handed.message_id)
            process.fault("http taken")
        if mood.endswith(("lost", "500", "hang")):
            providers.lost[handed.message_id] += 1
        if mood.endswith("hang"):
            await asyncio.sleep(TIMEOUT)
        await process.io()
        if mood.endswith(("lost", "hang")):
            return Ambiguous("no answer")
        return _ANSWERS[handed.channel](mood, providers.rng, len(providers.accepted))

    async def close(self):
        """Connections are not kept."""


def channels(world, process):
    """The real channels, in front of these providers."""
    wire, monotonic = Wire(world.providers, process), world.wall.monotonic
    made = (
        make_sms(
            provider="smsaero", key=SMS_KEY, sender="Shop", api=AERO, most=4,
            egress=lambda: wire, rate=Rate(PER_SECOND, monotonic), smpp=lambda: None,
        ),
        WhatsApp(
            token=META_TOKEN, number=META_NUMBER, api=META,
            egress=wire, rate=Rate(80.0, monotonic), monotonic=monotonic,
        ),
        _push(wire, world.wall.now),
    )  # fmt: skip
    for channel in made:
        channel.workers = WORKERS
    return {channel.name: channel for channel in made}


# -- what they read


def _aero(url, body, headers):
    asked = json.loads(body)
    assert url == f"{AERO}/v2/sms/send" and set(asked) == {"number", "text", "sign", "callbackUrl", "callbackFormat"}
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == SMS_KEY
    assert asked["number"].isdigit() and asked["text"] and asked["callbackFormat"] == "JSON"
    (message_id,) = parse_qs(urlsplit(asked["callbackUrl"]).query)["t"]
    return Handed("sms", message_id, "+" + asked["number"], asked["text"])


def _meta(url, body, headers):
    asked = json.loads(body)
    assert url == f"{META}/{META_NUMBER}/messages" and headers["Authorization"] == f"Bearer {META_TOKEN}"
    assert (asked["messaging_product"], asked["recipient_type"], asked["type"]) == (
        "whatsapp",
        "individual",
        "template",
    )
    ours = read_callback_data(asked["biz_opaque_callback_data"])
    return Handed("whatsapp", ours.message_id, "+" + asked["to"], json.dumps(asked["template"], sort_keys=True))


def _fcm(url, body, headers):
    message = json.loads(body)["message"]
    assert url == f"{GOOGLE}/v1/projects/{PROJECT}/messages:send" and headers["Authorization"] == f"Bearer {ACCESS}"
    assert message["notification"]["title"] and all(type(value) is str for value in message["data"].values())
    said = json.dumps([message["notification"], message["data"]], sort_keys=True)
    return Handed("fcm", message["data"]["message_id"], message["token"], said)


def _tokens(url, body, _headers):
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    signed, _, signature = form["assertion"].rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    _private().public_key().verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert url == TOKENS and form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


_READERS = {
    urlsplit(url).hostname: read for url, read in ((AERO, _aero), (META, _meta), (GOOGLE, _fcm), (TOKENS, _tokens))
}


# -- what they answer


def _json(status, told, after=None):
    return Reply(status, json.dumps(told).encode(), after)


def _of_aero(mood, rng, number):
    refused = {"success": False, "data": None, "message": mood}
    match mood:
        case "limit":
            return _json(429, refused, rng.choice((None, 3.0, 90.0)))
        case "busy":
            return _json(503, refused)
        case "no":
            return _json(200, {"success": True, "data": {"id": number, "status": 6}, "message": None})
        case "dead":
            return _json(400, {**refused, "data": {"number": ["not a number"]}})
        case "account":
            return _json(401, refused)
        case "taken-and-500":
            return Reply(500, b"<html>bad gateway</html>")
    return _json(200, {"success": True, "data": [{"id": number, "status": 8}], "message": None})


def _of_meta(mood, rng, number):
    if mood == "ok":
        return _json(200, {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{number}"}]})
    if mood == "taken-and-500":
        return Reply(502, b"")
    code = {"limit": rng.choice((130429, 131056, 131049)), "busy": 131016, "no": 132000, "dead": 131026, "account": 190}
    return _json(400, {"error": {"code": code[mood], "message": mood}})


def _of_fcm(mood, rng, number):
    if mood == "ok":
        return _json(200, {"name": f"projects/{PROJECT}/messages/0:{number}"})
    status, code, after = {
        "limit": (429, "QUOTA_EXCEEDED", rng.choice((None, 30.0))),
        "busy": (503, "UNAVAILABLE", None),
        "no": (400, "INVALID_ARGUMENT", None),
        "dead": (404, "UNREGISTERED", None),
        "account": (403, "PERMISSION_DENIED", None),
        "taken-and-500": (500, "INTERNAL", None),
    }[mood]
    return _json(status, {"error": {"code": status, "status": code, "message": mood, "details": []}}, after)


_ANSWERS = {"sms": _of_aero, "whatsapp": _of_meta, "fcm": _of_fcm}


# -- Google's service account


def _push(wire, now):
    with patch.object(fcm, "rsa_of", _rsa_of):
        return fcm.Fcm(account_file=_account(), api=GOOGLE, egress=wire, now=now)


@functools.cache
def _rsa_of(pem):
    """Reading a key takes longer than most runs of a sender: once is enough."""
    return rsa_of(pem)


@functools.cache
def _private():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def _account():
    pem = _private().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = {
        "project_id": PROJECT,
        "private_key": pem.decode(),
        "client_email": "push@shop.example",
        "token_uri": TOKENS,
    }
    folder = tempfile.TemporaryDirectory(prefix="boomerang-simulation-")
    _FOLDERS.append(folder)  # goes with the process
    path = Path(folder.name) / "account.json"
    path.write_text(json.dumps(told))
    return str(path)


_FOLDERS = []
