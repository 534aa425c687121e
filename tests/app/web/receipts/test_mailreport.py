"""Bounces and complaints as they come by mail: what they mean, and whom they are believed of."""

import asyncio
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bounces.desk import BounceDesk, Mail
from app.bounces.mailbox import mailbox
from app.cli import main
from app.errors import CommandError, SettingsError
from app.model.receipt import Outcome
from app.tokens import receipt_token
from app.web.receipts import mailreport
from app.web.receipts.mailreport import read
from tests.app.web.conftest import NOW
from tests.app.web.receipts.reports import ABUSE, EXCHANGE, HEADERS_ONLY, POSTFIX, filled
from tests.app.web.receipts.test_providers import SPOKEN
from tests.channels.relays import self_signed

MAILED = SPOKEN._replace(channel="email")
REPORTS = {"postfix": POSTFIX, "headers only": HEADERS_ONLY, "exchange": EXCHANGE}
every_report = pytest.mark.parametrize("shape", REPORTS.values(), ids=list(REPORTS))


@every_report
@pytest.mark.parametrize("crlf", [True, False])
@pytest.mark.parametrize(
    ("action", "status", "outcome"),
    [
        ("failed", "5.1.1", Outcome.BOUNCED),
        ("failed", "5.1.10", Outcome.BOUNCED),
        ("Failed", "5.2.1", Outcome.BOUNCED),
        ("failed", "5.2.2", Outcome.FAILED),
        ("failed", "5.7.1", Outcome.FAILED),
        ("failed", "5.0.0", Outcome.FAILED),
        ("failed", "4.4.7", Outcome.FAILED),
        ("failed", "4.1.1", Outcome.FAILED),
        ("delivered", "2.0.0", Outcome.DELIVERED),
        ("delayed", "4.4.1", None),
        ("relayed", "2.0.0", None),
        ("failed", "nonsense", None),
        ("", "5.1.1", None),
    ],
)
def test_a_delivery_status_has_its_meaning(shape, action, status, outcome, crlf):
    told = read(filled(shape, "tok.en-1_2", action=action, status=status, crlf=crlf))
    assert [item.outcome for item in told] == ([outcome] if outcome else [])
    for item in told:
        assert item.token == "tok.en-1_2" and item.detail.startswith(status)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("abuse", Outcome.COMPLAINED),
        ("Fraud", Outcome.COMPLAINED),
        ("opt-out", Outcome.UNSUBSCRIBED),
        ("not-spam", None),
        ("other", None),
    ],
)
def test_a_complaint_has_its_meaning(kind, outcome):
    told = read(filled(ABUSE, "t.1", feedback=kind))
    assert [(item.outcome, item.token) for item in told] == ([(outcome, "t.1")] if outcome else [])


def encoded(shape):
    """The message comes back as text in base64."""
    head, mark, rest = filled(shape, "t.1").partition(b"Content-Type: text/rfc822-headers\r\n")
    body, end, tail = rest.partition(b"\r\n--4T2Kpz0abc")
    text = body.split(b"\r\n\r\n", 1)[1]
    return head + mark + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(text) + end + tail


def test_headers_that_come_back_encoded_are_read():
    assert read(encoded(HEADERS_ONLY))[0].token == "t.1"


NOTHING = {
    "nothing": b"",
    "no mail": b"\x00\xff" * 1000,
    "a holiday": b"From: a@b.example\r\nSubject: Re: cart\r\nAuto-Submitted: auto-replied\r\n\r\nI am away, X-Boomerang-Receipt: t.1",
    "no message in it": filled(POSTFIX, "t.1").split(b"Content-Description: Undelivered")[0],
    "a token outside of the message": filled(POSTFIX.replace("\nX-Boomerang-Receipt: TOKEN", ""), "").replace(
        b"This is the mail system", b"X-Boomerang-Receipt: t.1\r\nThis is the mail system"
    ),
    "deep": b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(40)),
    "deeper": b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(5000)),
    "deeper, in other words": b"".join(
        b"Content-Type: multipart/mixed; boundary*=us-ascii''%d\r\n\r\n--%d\r\n" % (n, n) for n in range(2000)
    ),
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 5000,
    "a million headers": b"a: b\r\n" * 170_000,
    "a header without an end": b"X-Boomerang-Receipt: " + b"a" * 1_000_000,
    "many parts": b'Content-Type: multipart/report; boundary="b"\r\n\r\n' + b"--b\r\n\r\n\r\n" * 100_000,
    "a strange charset": filled(HEADERS_ONLY, "").replace(b"us-ascii", b"\xff\x00no"),
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_is_no_report_of_ours_tells_nothing(what):
    assert read(NOTHING[what]) == []


@pytest.mark.parametrize(
    "level",
    [
        b"Content-Type: multipart/mixed; boundary=%d",
        b"content-type:multipart/mixed; Boundary = %d",
        b"Content-Type:\r\n multipart/mixed;\r\n\tboundary=%d",
        b"Content-Type: multipart/mixed; boundary*=us-ascii''%d",
        b"Content-Type: multipart/mixed; boundary*0=%d",
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_a_structure_without_end_is_not_looked_at_however_it_is_written(level, end, monkeypatch):
    raw = b"".join((level + b"\r\n\r\n--%d\r\n") % (n, n) for n in range(200)).replace(b"\r\n", end)
    monkeypatch.setattr(mailreport, "message_from_bytes", lambda *_args, **_options: pytest.fail("it was parsed"))
    assert read(raw) == []


@every_report
def test_what_the_text_of_the_returned_mail_says_does_not_hide_the_bounce(shape):
    raw = filled(shape, "t.1")
    head, end, tail = raw.rpartition(b"\r\n--")
    text = b"\r\n" + b"a boundary = a border, boundary=b; multipart/mixed\r\n" * 60
    assert [item.outcome for item in read(head + b"\r\n" + text + end + tail)] == [Outcome.BOUNCED]


@given(st.binary(max_size=2000), st.integers(0, 3000), st.integers(0, 3000))
def test_whatever_is_written_into_a_report_it_is_read_without_an_error(noise, start, length):
    raw = filled(POSTFIX, "t.1")
    for item in read(raw[:start] + noise + raw[start + length :]):
        assert item.outcome in (Outcome.BOUNCED, Outcome.FAILED, Outcome.DELIVERED) and item.token


async def test_a_report_is_told_once_and_a_forged_one_speaks_of_nobody(rebuilt):
    async with rebuilt() as house:
        desk = BounceDesk(house.settings, house.clock, house.intake)
        token = receipt_token(house.settings.secret, MAILED, NOW)
        assert await desk.take(filled(POSTFIX, token)) is Mail.TOLD
        assert await desk.take(filled(POSTFIX, token)) is Mail.REPEATED
        forged = (token[:-1] + ("a" if token[-1] != "a" else "b"), receipt_token("x" * 40, MAILED, NOW), "t.1")
        for bad in forged:
            assert await desk.take(filled(POSTFIX, bad)) is Mail.FORGED
        assert await desk.take(b"Subject: hello\r\n\r\nhello") is Mail.NOTHING
        (receipt,) = house.receipts
        assert (receipt.outcome, receipt.customer, receipt.channel) == ("bounced", MAILED.customer, "email")
        assert receipt.message_id == MAILED.message_id and receipt.detail.startswith("5.1.1")


async def test_the_hook_takes_a_raw_mail_with_the_word_that_was_agreed(rebuilt):
    async with rebuilt(receipt_secrets="mail=a-word-of-ours") as house:
        token = receipt_token(house.settings.secret, MAILED, NOW)
        body = filled(ABUSE, token)
        for path in ("/receipts/mail", "/receipts/mail?key=another-word"):
            assert (await house.http.post(path, content=body)).status_code == 401
        assert house.receipts == []
        for content in (body, b"Subject: hello\r\n\r\nhello", b"\xff\x00{", filled(ABUSE, "forged")):
            assert (await house.http.post("/receipts/mail?key=a-word-of-ours", content=content)).status_code == 200
        (receipt,) = house.receipts
        assert (receipt.outcome, receipt.message_id) == ("complained", MAILED.message_id)


class Imap:
    """The little of an IMAP server that is asked for, over TLS, in a thread: flags are kept."""

    def __init__(self, folder, mails):
        self.context, self.certificate = self_signed(folder)
        self.mails, self.seen, self.said = mails, set(), []
        self.password, self.folder = "pass word", "Bounces"

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        writer.write(b"* OK ready\r\n")
        while line := await reader.readline():
            tag, _, command = line.decode().strip().partition(" ")
            self.said.append(command)
            writer.write(self.answer(command) + f"{tag} {self.verdict} done\r\n".encode())
            await writer.drain()
            if command == "LOGOUT":
                break
        writer.close()

    def answer(self, command):
        word, self.verdict = command.split()[0], "OK"
        if word == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n"
        if (
            word == "LOGIN"
            and command != f'LOGIN "shop" "{self.password}"'
            and command != f'LOGIN shop "{self.password}"'
        ):
            self.verdict = "NO"
        elif word == "SELECT":
            if command != f'SELECT "{self.folder}"':
                self.verdict = "NO"
            return b"* %d EXISTS\r\n" % len(self.mails)
        elif command == "UID SEARCH UNSEEN":
            return ("* SEARCH " + " ".join(str(n) for n in self.mails if n not in self.seen) + "\r\n").encode()
        elif command.startswith("UID FETCH"):
            number = int(command.split()[2])
            assert command.endswith("(BODY.PEEK[]<0.1048576>)")
            raw = self.mails[number]
            return b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (number, len(raw), raw)
        elif command.startswith("UID STORE"):
            assert command.endswith(r"+FLAGS.SILENT (\Seen)")
            self.seen.add(int(command.split()[2]))
        return b""


@pytest.mark.parametrize("channel", ["webpush", "sms", "webhook"])
async def test_what_went_out_with_a_message_that_was_no_mail_says_nothing_in_a_report(rebuilt, channel):
    async with rebuilt() as house:
        desk = BounceDesk(house.settings, house.clock, house.intake)
        token = receipt_token(house.settings.secret, SPOKEN._replace(channel=channel), NOW)
        assert await desk.take(filled(POSTFIX, token)) is Mail.FORGED
        assert house.receipts == []


async def test_a_mail_that_cannot_be_handled_stays_unread_and_keeps_nobody_waiting(
    rebuilt, tmp_path, monkeypatch, caplog
):
    async with rebuilt() as house:
        desk = BounceDesk(house.settings, house.clock, house.intake)
        token = receipt_token(house.settings.secret, MAILED, NOW)
        real = mailreport.read
        monkeypatch.setattr(mailreport, "read", lambda raw: 1 / 0 if raw == b"odd" else real(raw))
        async with Imap(tmp_path, {3: b"odd", 7: filled(POSTFIX, token)}) as server:
            box = mailbox(f"imaps://shop:pass%20word@127.0.0.1:{server.port}/Bounces")
            counts = await desk.empty(box, trust=str(server.certificate))
            assert (counts[Mail.FAILED], counts[Mail.TOLD], server.seen) == (1, 1, {7})
        assert "stays unread" in caplog.text


async def test_the_unread_mails_of_a_mailbox_are_told_and_marked_when_they_are_acknowledged(rebuilt, tmp_path):
    async with rebuilt() as house:
        desk = BounceDesk(house.settings, house.clock, house.intake)
        token = receipt_token(house.settings.secret, MAILED, NOW)
        mails = {7: filled(POSTFIX, token), 9: b"Subject: hello\r\n\r\nhello", 12: filled(ABUSE, token)}
        async with Imap(tmp_path, mails) as server:
            box = mailbox(f"imaps://shop:pass%20word@127.0.0.1:{server.port}/Bounces")
            house.sink.up = False
            with pytest.raises(CommandError, match="Kafka does not take"):
                await desk.empty(box, trust=str(server.certificate))
            assert server.seen == set()
            house.sink.up = True
            counts = await desk.empty(box, trust=str(server.certificate))
            assert counts == {Mail.TOLD: 2, Mail.NOTHING: 1, Mail.REPEATED: 0, Mail.FORGED: 0, Mail.FAILED: 0}
            assert server.seen == {7, 9, 12}
            assert sum((await desk.empty(box, trust=str(server.certificate))).values()) == 0
        assert [receipt.outcome for receipt in house.receipts] == ["bounced", "complained"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [("password", "AUTH|done|NO"), ("folder", "done"), ("certificate", "certificate"), ("away", "the mailbox on")],
)
async def test_a_mailbox_that_cannot_be_read_is_told_in_one_line_without_its_password(rebuilt, tmp_path, fault, told):
    async with rebuilt() as house:
        desk = BounceDesk(house.settings, house.clock, house.intake)
        async with Imap(tmp_path, {}) as server:
            port = 1 if fault == "away" else server.port
            where = f"imaps://shop:{'wrong' if fault == 'password' else 'pass%20word'}@127.0.0.1:{port}/{'No' if fault == 'folder' else 'Bounces'}"
            with pytest.raises(CommandError, match=told) as caught:
                await desk.empty(mailbox(where), trust="" if fault == "certificate" else str(server.certificate))
        assert (
            "\n" not in str(caught.value) and "pass word" not in str(caught.value) and "wrong" not in str(caught.value)
        )


@pytest.mark.parametrize(
    "url",
    [
        "imap://u:p@h",
        "imaps://h",
        "imaps://u@h",
        "imaps://u:p@",
        "x",
        "imaps://u:p@h:99999",
        "imaps://u:p%0d%0aX@h",
        "imaps://u:p@h/%22",
    ],
)
def test_a_mailbox_that_cannot_be_one_is_refused(url):
    with pytest.raises(SettingsError, match="BOOMERANG_BOUNCE_MAILBOX"):
        mailbox(url)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["bounces"], 1, "BOOMERANG_BOUNCE_MAILBOX"),
        (["bounces", "/no/such/file"], 1, "cannot read"),
        (["bounces", "-", "--every", "60"], 2, "--every"),
    ],
)
def test_the_command_says_what_it_needs(capsys, arguments, status, told):
    assert main(arguments) == status
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
