import re
from email import message_from_bytes
from functools import cache

import dkim as verifier
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli import main
from app.clock import SYSTEM
from channels.dkim import SIGNED, Signer, canonical_body, canonical_field, make
from channels.email import Email
from channels.mime import assemble
from tests.channels.relays import relay
from tests.channels.test_mime import MAIL
from tests.contracts.providers import MESSAGE

MARKETING = MAIL._replace(
    headers=(("List-Unsubscribe", "<https://c.example/u/x>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
)


@cache
def pem(kind):
    return make(kind)


def key_file(folder, kind="rsa"):
    path = folder / f"{kind}.pem"
    path.write_bytes(pem(kind))
    return path


@pytest.fixture
def signer(tmp_path):
    return Signer(
        [f"rsa1={key_file(tmp_path)}", f"ed.one={key_file(tmp_path, 'ed25519')}"],
        "shop.example",
    )


def verified(signer, raw):
    """What an independent verifier says of each signature, asked by the name in DNS."""
    records = {f"{key.selector}._domainkey.{signer.domain}.": key.record.encode() for key in signer.keys}
    checked = verifier.DKIM(raw)
    number = len(message_from_bytes(raw).get_all("DKIM-Signature", []))
    said = []
    for index in range(number):
        try:
            said.append(checked.verify(index, dnsfunc=lambda name, timeout=5: records.get(name.decode())))
        except verifier.DKIMException:
            said.append(False)
    return said


def test_both_kinds_of_signature_are_verified_by_somebody_else(signer):
    assert verified(signer, signer.signed(assemble(MARKETING), 1_700_000_000.0)) == [True, True]


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=200), st.text(max_size=80), st.text(max_size=400))
def test_whatever_a_mail_says_its_signature_holds(subject, name, text):
    signer = quick()
    raw = assemble(MARKETING._replace(subject=subject, to_name=name, text=text, html=text))
    assert verified(signer, signer.signed(raw, 1_700_000_000.0)) == [True]


@cache
def quick():
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        return Signer([f"ed={key_file(Path(folder), 'ed25519')}"], "shop.example")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"(?m)^Subject: Hello", b"Subject: Hullo"),
        (rb"(?m)^From: Shop", b"From: Shap"),
        (rb"(?m)^From: ", b"From: Evil <evil@shop.example>\r\nFrom: "),
        (rb"(?m)^To: Anna", b"To: Ania"),
        (rb"(?m)^Date: Tue", b"Date: Wed"),
        (rb"<ab.0@", b"<ab.1@"),
        (rb"https://c.example/u/x", b"https://e.example/u/x"),
        (rb"One-Click", b"Two-Click"),
        (rb"multipart/alternative", b"multipart/mixed"),
        (rb"dGV4dA==", b"dGV4dB=="),
    ],
)
def test_what_was_changed_on_the_way_is_noticed(signer, old, new):
    raw = signer.signed(assemble(MARKETING), 1_700_000_000.0)
    at = raw.index(b"\r\nFrom:") + 2
    changed = raw[:at] + re.sub(old, new, raw[at:], count=1)
    assert changed != raw
    assert verified(signer, changed) == [False, False]


def test_what_relays_do_to_a_mail_is_forgiven(signer):
    raw = signer.signed(assemble(MARKETING), 1_700_000_000.0)
    changed = (
        b"Received: from x by y;\r\n\tnow\r\n" + raw.replace(b"\r\nTo: Anna <", b"\r\nTO:  Anna\r\n\t<") + b"\r\n\r\n"
    )
    assert verified(signer, changed) == [True, True]


def test_a_signature_covers_what_a_reader_sees_and_from_twice(signer):
    raw = signer.signed(assemble(MARKETING), 1_700_000_000.0)
    first = message_from_bytes(raw)["DKIM-Signature"]
    names = re.sub(r"\s", "", re.search(r"h=([^;]*);", first)[1]).split(":")
    assert names == list(SIGNED) and names.count("from") == 2
    assert "t=1700000000" in first and max(map(len, raw.split(b"\r\n"))) <= 400
    plain = message_from_bytes(signer.signed(assemble(MAIL), 1_700_000_000.0))["DKIM-Signature"]
    assert "list-unsubscribe" not in plain


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b"a", b"a\r\n"),
        (b"a \t b \r\n\r\n \r\n", b"a b\r\n"),
        (b" a\r\n\r\nb\r\n", b" a\r\n\r\nb\r\n"),
    ],
)
def test_the_relaxed_body_is_that_of_the_standard(body, canonical):
    assert canonical_body(body) == canonical


def test_the_relaxed_header_is_that_of_the_standard():
    assert canonical_field(b"SUBject \t", b"   a \t b\r\n\t c  ") == b"subject:a b c\r\n"


def write(path, private):
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot read"),
        (b"", "not a private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key"),
        ("small", "512 bits"),
        ("curve", "neither RSA nor Ed25519"),
        ("locked", "without a password"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_with_what_to_do(tmp_path, content, told):
    path = tmp_path / "key.pem"
    if content == "small":
        path.write_bytes(SMALL)
    elif content == "curve":
        write(path, ec.generate_private_key(ec.SECP256R1()))
    elif content == "locked":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        locked = serialization.BestAvailableEncryption(b"x")
        path.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=told) as caught:
        Signer([f"s={path}"], "shop.example")
    assert "BOOMERANG_DKIM_KEYS" in str(caught.value) and "\n" not in str(caught.value)


SMALL = b"""-----BEGIN RSA PRIVATE KEY-----
MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu
KUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQJAIJLixBy2qpFoS4DSmoEm
o3qGy0t6z09AIJtH+5OeRV1be+N4cDYJKffGzDa88vQENZiRm0GRq6a+HPGQMd2k
TQIhAKMSvzIBnni7ot/OSie2TmJLY4SwTQAevXysE2RbFDYdAiEBCUEaRQnMnbp7
9mxDXDf6AU0cN/RPBjb9qSHDcWZHGzUCIG2Es59z8ugGrDY+pxLQnwfotadxd+Uy
v/Ow5T0q5gIJAiEAyS4RaI9YG8EWx/2w0T67ZUVAw8eOMB6BIUg0Xcu+3okCIBOs
/5OiPgoTdSy7bcF9IGpSE8ZgGKzgYQVZeN97YE00
-----END RSA PRIVATE KEY-----
"""
"""The 512-bit example that documentation shows everywhere."""


@pytest.mark.parametrize("keys", [["x"], ["=f"], ["a b=f"], ["s="], ["-s=f"]])
def test_keys_without_a_selector_are_refused(keys):
    with pytest.raises(ValueError, match="SELECTOR=FILE"):
        Signer(keys, "shop.example")


def test_a_selector_stands_for_one_key(tmp_path):
    with pytest.raises(ValueError, match="each selector once"):
        Signer([f"s={key_file(tmp_path)}", f"s={key_file(tmp_path, 'ed25519')}"], "shop.example")


def channel(port, keys, domain="", sender="Shop <shop@mail.shop.example>"):
    return Email(
        smtp=f"smtp+plain://127.0.0.1:{port}",
        connections=1,
        timeout=5,
        sender=sender,
        monotonic=SYSTEM.monotonic,
        dkim_keys=keys,
        dkim_domain=domain,
    )


@pytest.mark.parametrize("domain", ["other.example", "example.mail.shop.example", "op.example", "not a domain", "x"])
def test_a_domain_that_does_not_speak_for_the_sender_is_refused(tmp_path, domain):
    with pytest.raises(ValueError, match="BOOMERANG_DKIM_DOMAIN"):
        channel(1, [f"s={key_file(tmp_path)}"], domain)


@pytest.mark.parametrize("domain", ["", "shop.example"])
async def test_a_mail_arrives_signed_as_the_relay_got_it(tmp_path, domain):
    async def moment():
        pass

    async with relay() as server:
        speaking = channel(server.port, [f"s={key_file(tmp_path)}"], domain)
        await speaking.send(MESSAGE, moment)
        await speaking.stop()
        ((_, _, raw),) = server.mails
    signer = Signer([f"s={key_file(tmp_path)}"], domain or "mail.shop.example")
    assert verified(signer, raw) == [True]


def test_the_command_makes_a_key_and_shows_its_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BOOMERANG_MAIL_FROM", "Shop <shop@shop.example>")
    path = tmp_path / "new.pem"
    assert main(["dkim", "--new", str(path), "--selector", "autumn"]) == 0
    told = capsys.readouterr().out
    assert told.startswith('autumn._domainkey.shop.example. TXT "v=DKIM1; k=rsa; p=')
    assert path.stat().st_mode & 0o777 == 0o600 and all(len(text) <= 255 for text in re.findall(r'"([^"]*)"', told))
    monkeypatch.setenv("BOOMERANG_DKIM_KEYS", f"autumn={path}")
    assert main(["dkim"]) == 0
    assert capsys.readouterr().out == told.split("publish")[0]
    assert main(["dkim", "--new", str(path)]) == 1
    assert "never overwritten" in capsys.readouterr().err


def test_the_command_says_what_to_do_without_keys(capsys):
    assert main(["dkim"]) == 1
    assert "boomerang dkim --new FILE" in capsys.readouterr().err
