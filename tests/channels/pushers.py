"""The other side of push: a browser that can read what is meant for it, a push service that checks our token, Google's two services."""

import base64
import hmac
import json
from contextlib import asynccontextmanager
from hashlib import sha256
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from channels.jwt import new_pair
from tests.channels.hooks import hook


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """A browser's keys, and how it reads a push (RFC 8291 and 8188, from their text)."""

    def __init__(self, private=None, secret=b"sixteen bytes!!!"):
        self.private = private or ec.generate_private_key(ec.SECP256R1())
        self.secret = secret
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def address(self, endpoint):
        return f"{endpoint} {b64(self.public)} {b64(self.secret)}"

    def read(self, body):
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size and len(body) <= 4096
        shared = self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        prk = hmac.digest(self.secret, shared, sha256)
        ikm = hmac.digest(prk, b"WebPush: info\x00" + self.public + theirs + b"\x01", sha256)
        prk = hmac.digest(salt, ikm, sha256)
        key = hmac.digest(prk, b"Content-Encoding: aes128gcm\x00\x01", sha256)[:16]
        nonce = hmac.digest(prk, b"Content-Encoding: nonce\x00\x01", sha256)[:12]
        text = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\x00")
        assert text[-1:] == b"\x02", "the last record"
        return text[:-1]


def claims_of(token):
    head, body, _ = token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(body))


def verify_es256(token, public):
    """Raises InvalidSignature."""
    signed, _, signature = token.rpartition(".")
    raw = unb64(signature)
    assert len(raw) == 64
    pair = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(public))
    key.verify(pair, signed.encode(), ec.ECDSA(hashes.SHA256()))


PRIVATE, PUBLIC = new_pair()
BROWSER = Browser()


def check_push(request, now=None, browser=BROWSER, public=PUBLIC):
    """What a push service demands, and what the browser then reads."""
    headers = request.headers
    assert headers["content-encoding"] == "aes128gcm" and int(headers["ttl"]) > 0
    assert headers["urgency"] in ("very-low", "low", "normal", "high")
    assert len(headers["topic"]) <= 32 and headers["topic"].isalnum()
    scheme, _, rest = headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid" and parts["k"] == public
    verify_es256(parts["t"], public)
    head, claims = claims_of(parts["t"])
    assert head == {"typ": "JWT", "alg": "ES256"}
    assert claims["aud"] in (f"http://{headers['host']}", f"https://{headers['host']}") and claims["sub"].startswith(
        "mailto:"
    )
    if now is not None:
        assert now < claims["exp"] <= now + 24 * 3600
    return json.loads(browser.read(request.body))


SERVICE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ACCESS = "ya29.access-token"
DEVICE = "dQw4w9WgXcQ:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx"


def account_file(folder, token_uri, **changes):
    pem = SERVICE_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "account.json"
    told = {
        "type": "service_account",
        "project_id": "shop-example",
        "private_key_id": "abc",
        "private_key": pem.decode(),
        "client_email": "push@shop-example.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }
    path.write_text(json.dumps({**told, **changes}))
    return path


def check_assertion(request, token_uri):
    """What Google's token service demands."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    signed, _, signature = form["assertion"].rpartition(".")
    SERVICE_KEY.public_key().verify(unb64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    head, claims = claims_of(form["assertion"])
    assert head["alg"] == "RS256" and claims["iss"] == "push@shop-example.iam.gserviceaccount.com"
    assert claims["aud"] == token_uri and claims["scope"].endswith("/firebase.messaging")
    assert claims["exp"] - claims["iat"] == 3600
    return claims


@asynccontextmanager
async def token_service(answer=None):
    """Google's token service; `answer(request)` gives another answer than a token."""

    def given(request):
        check_assertion(request, f"{server.url}/token")
        token = json.dumps({"access_token": ACCESS, "expires_in": 3599, "token_type": "Bearer"}).encode()
        return (200, {}, token) if answer is None else answer(request)

    async with hook(given) as server:
        yield server


def check_fcm(request):
    """What FCM demands of a message."""
    assert request.path == "/v1/projects/shop-example/messages:send"
    assert request.headers["authorization"] == f"Bearer {ACCESS}"
    message = request.json["message"]
    assert message["token"] == DEVICE and message["notification"]["title"] and "body" in message["notification"]
    assert all(type(value) is str for value in message["data"].values())
    assert message["android"]["ttl"] == "86400s" and message["apns"]["headers"]["apns-expiration"].isdigit()
    return message


def fcm_error(status, code, word, message=""):
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    error = {"code": status, "message": message, "status": word, "details": details}
    return status, {}, json.dumps({"error": error}).encode()


FCM_ANSWERS = {
    "fine": (200, {}, b'{"name": "projects/shop-example/messages/0:15"}'),
    "busy": (
        429,
        {"Retry-After": "3"},
        fcm_error(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED")[2],
    ),
    "refuses": fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "Android message is too big"),
    "dead_address": fcm_error(404, "UNREGISTERED", "NOT_FOUND", "Requested entity was not found."),
}
