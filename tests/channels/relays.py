"""Real SMTP servers (aiosmtpd) in the test's own loop, with any fault at any phase."""

import asyncio
import ssl
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP

PHASES = ("connect", "ehlo", "mail", "rcpt", "data", "dot")


class Relay:
    """`faults`: phase -> reply text, "close" or "hang". `once`: a fault happens only the first time."""

    def __init__(self, faults=None, once=False):
        self.faults = dict(faults or {})
        self.once = once
        self.mails = []
        self.connections = 0
        self.commands = []
        self.port = 0
        self.reached = asyncio.Event()
        self.release = asyncio.Event()

    async def fault(self, phase, server):
        what = self.faults.get(phase)
        self.commands.append(phase)
        if what is None:
            return None
        self.reached.set()
        if self.once:
            del self.faults[phase]
        if what == "close":
            server.transport.abort()
            await asyncio.sleep(0.01)
            return "421 gone"
        if what == "hang":
            await self.release.wait()
            return "421 was hanging"
        return what

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        what = await self.fault("ehlo", server)
        return [what] if what else responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        what = await self.fault("mail", server)
        if what:
            return what
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        what = await self.fault("rcpt", server)
        if what:
            return what
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        after = self.faults.get("after")
        if after is None:
            what = await self.fault("dot", server)
            if what:
                return what
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content or envelope.content))
        if after is not None:  # taken, and then nobody says so
            return await self.fault("after", server)
        return "250 2.0.0 taken as 12345"


class Server(SMTP):
    async def smtp_DATA(self, arg):
        what = await self.event_handler.fault("data", self)
        if what:
            await self.push(what)
            return
        await super().smtp_DATA(arg)

    async def _handle_client(self):
        relay = self.event_handler
        relay.connections += 1
        what = await relay.fault("connect", self)
        if what:
            if not self.transport.is_closing():
                await self.push(what)
                self.transport.close()
            return
        await super()._handle_client()


@asynccontextmanager
async def relay(faults=None, *, once=False, tls=None, starttls=None, **options):
    handler = Relay(faults, once)
    loop = asyncio.get_running_loop()
    servers = []

    def make():
        server = Server(handler, hostname="relay.example", tls_context=starttls, loop=loop, timeout=30, **options)
        servers.append(server)
        return server

    listening = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
    handler.port = listening.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        handler.release.set()
        listening.close()
        for server in servers:
            if server.transport is not None:
                server.transport.abort()
            if server._handler_coroutine is not None:
                server._handler_coroutine.cancel()
        await asyncio.gather(*(s._handler_coroutine for s in servers if s._handler_coroutine), return_exceptions=True)
        await listening.wait_closed()


def self_signed(folder, host="127.0.0.1"):
    """A self-signed certificate as (server context, certificate file)."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, pem
