"""A broker that asks for TLS and a password: every client of ours is let in, and says in one line why it is not."""

import datetime as dt
import ipaddress
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.embedded import kafka as embedded
from app.embedded.logs import ChildLog
from app.embedded.process import Process
from app.engine.provision import provision
from app.errors import CommandError
from app.settings import load
from tests import servers
from tests.running import product

pytestmark = pytest.mark.broker

USER, PASSWORD = "shop", "s3cret of the shop"
LOOPBACK = "127.0.0.1"


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(name, issuer, key, signer, *, authority):
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        _named(issuer),
        _named(name),
        key.public_key(),
        x509.random_serial_number(),
        now - dt.timedelta(days=1),
        now + dt.timedelta(days=2),
    ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if not authority:
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _authority(folder, name):
    """A certificate authority: its key, and the file with its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / f"{name}.pem"
    path.write_bytes(_certificate(name, name, key, key, authority=True))
    return key, path


def _properties(folder, ports, keystore):
    inside, outside, controller = ports
    jaas = "org.apache.kafka.common.security"
    values = {
        **embedded.PROPERTIES,
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,OUTSIDE:SASL_SSL",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "inter.broker.listener.name": "INSIDE",
        "advertised.listeners": f"INSIDE://{LOOPBACK}:{inside},OUTSIDE://{LOOPBACK}:{outside}",
        "listeners": f"INSIDE://{LOOPBACK}:{inside},OUTSIDE://{LOOPBACK}:{outside},CONTROLLER://{LOOPBACK}:{controller}",
        "log.dirs": str(folder / "log"),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.outside.plain.sasl.jaas.config": (
            f'{jaas}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.outside.scram-sha-512.sasl.jaas.config": f"{jaas}.scram.ScramLoginModule required;",
    }
    path = folder / "server.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return path


@pytest.fixture(scope="module")
def guarded():
    """(address, file with the authority's certificate) of a broker that takes SASL over TLS."""
    with servers.scratch_folder("guarded") as folder:
        signer, authority = _authority(folder, "Our authority")
        key = ec.generate_private_key(ec.SECP256R1())
        keystore = folder / "server.pem"
        keystore.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + _certificate("broker", "Our authority", key, signer, authority=False)
        )
        ports = [servers.free_port() for _ in range(3)]
        path = _properties(folder, ports, keystore)
        installation = embedded.Installation(load().cache)
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        embedded._format(
            installation.java(
                "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", str(path), "-S", scram
            )
        )
        broker = Process("kafka", installation.java("kafka.Kafka", str(path)), ChildLog(folder / "kafka.log"))
        try:
            broker.wait_ready(lambda: embedded.is_ready(ports[0]), 60)
            yield f"kafka://{LOOPBACK}:{ports[1]}", authority
        finally:
            broker.stop(6.0)


@pytest.fixture
def settings(guarded, make_settings):
    address, authority = guarded
    return make_settings(
        kafka=address,
        redis="redis://127.0.0.1:1/0",
        kafka_security="SASL_SSL",
        kafka_username=USER,
        kafka_password=PASSWORD,
        kafka_cafile=str(authority),
        time_scale=3600.0,
        grace=0.1,
    )


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_collector_worker_and_sender_work_over_tls_with_a_password(mechanism, settings, process, eventually):
    settings = replace(settings, kafka_mechanism=mechanism)
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery")
        await shop.subscribe("anna")
        await shop.track("anna", "Product Added", product_id="p1", price=10.0)
        [trigger] = await eventually(shop.triggers, 40)
        assert (trigger.customer, trigger.scenario) == ("anna", "abandoned_cart")
        await eventually(lambda: shop.metric("delivery", "boomerang_engine_steps_total"), 40)


async def test_a_wrong_password_ends_a_process_with_one_line_that_says_what_to_look_at(settings, process, eventually):
    for command in ("worker", "delivery", "topics --create"):
        child = process.boomerang(*command.split(), settings=replace(settings, kafka_password="wrong"))
        await eventually(lambda: child.status() is not None, 60)  # noqa: B023
        child.log.join()
        assert child.status() == 1
        [line] = child.log.tail()
        assert "it does not accept our name or password; check BOOMERANG_KAFKA_USERNAME" in line
        assert "wrong" not in line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kafka_mechanism": "PLAIN", "kafka_password": "wrong"}, "BOOMERANG_KAFKA_PASSWORD"),
        ({"kafka_username": "nobody"}, "BOOMERANG_KAFKA_USERNAME"),
        ({"kafka_mechanism": "SCRAM-SHA-256"}, "BOOMERANG_KAFKA_MECHANISM"),
        ({"kafka_cafile": ""}, "its certificate is not trusted .*BOOMERANG_KAFKA_CAFILE"),
        ({"kafka_security": "SSL"}, "BOOMERANG_KAFKA_SECURITY"),
        ({"kafka_security": "SASL_PLAINTEXT"}, "BOOMERANG_KAFKA_SECURITY"),
        ({"kafka_security": ""}, "BOOMERANG_KAFKA_SECURITY"),
    ],
    ids=["plain password", "user", "mechanism", "authority", "no password", "no TLS", "neither"],
)
async def test_each_mistake_is_told_by_the_setting_to_look_at(change, told, settings):
    with pytest.raises(CommandError, match=told):
        await provision(replace(settings, **change))


async def test_another_host_name_than_the_certificates_is_told(settings):
    with pytest.raises(CommandError, match=r"its certificate is not trusted \(.*localhost.*\); check"):
        await provision(replace(settings, kafka=settings.kafka.replace("127.0.0.1", "localhost")))
