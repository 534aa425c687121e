"""Signed claims (RFC 7519) for two providers: ES256 for web push (RFC 8292), RS256 for a Google service account."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from channels.aes128gcm import CURVE, point

_HALF = 32
Claims = Mapping[str, str | int]


def text_of(raw: bytes) -> str:
    """Base64 for addresses, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    """The bytes of such a text. Raises ValueError."""
    if not text.isascii():
        raise ValueError("not base64")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_pair() -> tuple[str, str]:
    """A new private key for web push and its public key."""
    private = ec.generate_private_key(CURVE)
    return text_of(private.private_numbers().private_value.to_bytes(_HALF, "big")), text_of(point(private))


def private_of(text: str) -> ec.EllipticCurvePrivateKey:
    """The private key of web push. Raises ValueError."""
    raw = bytes_of(text)
    if len(raw) != _HALF:
        raise ValueError("a private key has 32 bytes")
    return ec.derive_private_key(int.from_bytes(raw, "big"), CURVE)


def rsa_of(pem: str) -> rsa.RSAPrivateKey:
    """A private key in PEM. Raises ValueError."""
    try:
        private = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("not a private key") from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - a setting's value
    return private


def es256(claims: Claims, private: ec.EllipticCurvePrivateKey) -> str:
    """A token signed with a key of the curve."""
    signed = _signed("ES256", claims)
    r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{text_of(r.to_bytes(_HALF, 'big') + s.to_bytes(_HALF, 'big'))}"


def rs256(claims: Claims, private: rsa.RSAPrivateKey) -> str:
    """A token signed with an RSA key."""
    signed = _signed("RS256", claims)
    return f"{signed}.{text_of(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _signed(algorithm: str, claims: Claims) -> str:
    head = msgspec.json.encode({"typ": "JWT", "alg": algorithm})
    return f"{text_of(head)}.{text_of(msgspec.json.encode(claims))}"
