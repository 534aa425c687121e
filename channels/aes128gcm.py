"""Messages that only one browser can read: RFC 8291 over RFC 8188, one record each."""

import hmac
from hashlib import sha256
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CURVE = ec.SECP256R1()
RECORD = 4096
"""Bytes of a body that every push service takes."""
MOST_PLAIN = RECORD - 86 - 17
"""Bytes of a text: without header, tag and the mark of the last record."""
SALT = 16
_PUBLIC, _SECRET = 65, 16


class Receiver(NamedTuple):
    """A browser's public key, as a point of the curve, and the secret that it shares with us."""

    public: bytes
    secret: bytes


def receiver(public: bytes, secret: bytes) -> Receiver:
    """A browser's keys. Raises ValueError when they cannot be any."""
    if len(public) != _PUBLIC or len(secret) != _SECRET:
        raise ValueError("keys of a wrong length")
    ec.EllipticCurvePublicKey.from_encoded_point(CURVE, public)
    return Receiver(public, secret)


def point(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key of a private one, as an uncompressed point."""
    return private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def encrypted(text: bytes, to: Receiver, ours: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of a push. `ours` is a key made for this message alone, `salt` 16 random bytes. Raises ValueError for a long text."""
    if len(text) > MOST_PLAIN:
        raise ValueError(f"more than {MOST_PLAIN} bytes")
    public = point(ours)
    shared = ours.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, to.public))
    first = hmac.digest(to.secret, shared, sha256)
    material = hmac.digest(first, b"WebPush: info\0" + to.public + public + b"\1", sha256)
    second = hmac.digest(salt, material, sha256)
    key = hmac.digest(second, b"Content-Encoding: aes128gcm\0\1", sha256)[:16]
    nonce = hmac.digest(second, b"Content-Encoding: nonce\0\1", sha256)[:12]
    head = salt + RECORD.to_bytes(4, "big") + bytes([len(public)]) + public
    return head + AESGCM(key).encrypt(nonce, text + b"\2", None)
