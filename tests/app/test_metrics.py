"""Metrics: the cheap counters of the collector tell the same as the library's own, and gauges tell of certificates and disks."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from app import metrics, tallies
from app.engine.expiry import expiry_of, note_expiries
from app.metrics import SIZES, Spread, Tally
from app.settings import load

FAMILY = re.compile(r"^# TYPE (\S+)", re.MULTILINE)


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(tallies, "TALLIES", [])
    return CollectorRegistry()


def test_a_tally_moves_each_count_once(registry):
    counter = Counter("seen", "", ["kind"], registry=registry)
    tally = Tally(counter)
    tally.add("a")
    tally.add("a", count=3)
    tally.add("b")
    tally.move()
    tally.move()
    assert registry.get_sample_value("seen_total", {"kind": "a"}) == 4
    assert registry.get_sample_value("seen_total", {"kind": "b"}) == 1


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_a_spread_tells_what_the_histogram_itself_would_have_told(values):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread(Histogram("size", "", buckets=SIZES, registry=ours), SIZES)
    tallies.TALLIES.remove(spread)
    reference = Histogram("size", "", buckets=SIZES, registry=theirs)
    for value in values:
        spread.observe(value)
        reference.observe(value)
    spread.move()
    names = [f"size_bucket{{{bound}}}" for bound in (*SIZES, "+Inf")]
    assert len(names) == len(SIZES) + 1
    for bound in (*map(str, SIZES), "+Inf"):
        mine, other = (each.get_sample_value("size_bucket", {"le": bound}) for each in (ours, theirs))
        assert mine == other
    assert ours.get_sample_value("size_sum") == pytest.approx(theirs.get_sample_value("size_sum"))
    assert b"size_count" in generate_latest(ours)


def test_what_is_brought_up_to_date_is_asked_at_each_rendering(monkeypatch):
    monkeypatch.setattr(metrics, "_before", {})
    seen = []
    metrics.before_render("one", lambda: seen.append("old"))
    metrics.before_render("one", lambda: seen.append("new"))
    metrics.render()
    assert seen == ["new"]


def test_a_process_says_its_version_and_its_own_cpu_and_memory():
    metrics.introduce("worker", "w1")
    text = metrics.render().decode()
    assert re.search(r'boomerang_build_info\{member="w1",process="worker",version="\d+\.\d+\.\d+"\} 1\.0', text)
    assert {"boomerang_process_cpu_seconds_total", "boomerang_process_start_time_seconds"} <= set(FAMILY.findall(text))


def test_every_metric_has_a_unit_or_is_a_plain_number_of_things():
    suffixes = ("_seconds", "_bytes", "_total", "_info", "_records", "_rows", "_ratio")
    things = {  # gauges that count things or are a yes or no; their names say what
        "boomerang_ready", "boomerang_redis_up", "boomerang_redis_connections", "boomerang_engine_timers_pending",
        "boomerang_dead_letters_flood", "boomerang_outbox_pending", "boomerang_smtp_connections", "boomerang_channel_down",
        "boomerang_journal_down", "boomerang_chat_gateway_connected", "boomerang_dialogs", "boomerang_segment_customers",
        "boomerang_budget_spent", "boomerang_budget_ceiling", "boomerang_reload_refused", "boomerang_catalogue_offers",
    }  # fmt: skip
    named = {metric._name + ("_total" if metric._type == "counter" else "") for metric in metrics.ALL}
    assert {name for name in named if not name.endswith(suffixes)} - things == set()


def certificate(days):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca.example")])
    now = datetime.now(UTC).replace(microsecond=0)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(days)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), (now + timedelta(days=days)).timestamp()


def test_the_expiry_of_a_file_is_that_of_its_first_certificate_to_expire(tmp_path):
    (near, at), (far, _) = certificate(10), certificate(400)
    (tmp_path / "ca.pem").write_text(far + near)
    assert expiry_of(str(tmp_path / "ca.pem")) == at


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_file_without_a_certificate_expires_never(tmp_path, text):
    (tmp_path / "ca.pem").write_text(text)
    assert expiry_of(str(tmp_path / "ca.pem")) is None
    assert expiry_of(str(tmp_path / "absent.pem")) is None


def test_the_end_of_a_token_that_a_person_has_written_down_is_told():
    note_expiries(load({}, token_expiries="whatsapp=2027-01-31"))
    (sample,) = (
        sample for sample in metrics.CREDENTIAL_EXPIRY.collect()[0].samples if sample.labels["credential"] == "whatsapp"
    )
    assert sample.value == 1_801_353_600
