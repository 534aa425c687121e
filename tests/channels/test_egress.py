"""The client of outgoing requests: where it goes, where never, and what each ending means."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import SYSTEM, ManualClock
from channels.destination import networks, permitted
from channels.egress import MOST_BODY, Egress, Lost, Unreachable, Untrusted, retry_after, unusable
from tests.channels.hooks import hook
from tests.channels.relays import self_signed

HERE = networks(["127.0.0.1/32"])
SECRET = "/bot12345:secret-token/sendMessage"

INNER = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::1",
    "100::1",
    "2002:808:808::1",
    "4000::1",
]


@pytest.fixture
def server_tls(tmp_path):
    return self_signed(tmp_path)[0]


@pytest.fixture
async def egress():
    client = Egress(timeout=5, now=SYSTEM.now, allow=HERE)
    yield client
    await client.close()


async def granted():
    """The irreversible moment, granted."""


@pytest.mark.parametrize("address", INNER)
def test_addresses_of_the_inner_network_are_refused(address):
    assert not permitted(address, ())


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "149.154.167.220", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet_are_fine_over_tls_only(address):
    assert permitted(address, ())
    assert not permitted(address, (), public=False)


def test_an_allowed_network_is_allowed_in_every_spelling_and_nothing_beside_it():
    allow = networks(["10.1.0.0/16", "fd00::/64"])
    assert all(permitted(address, allow, public=False) for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::5"))
    assert not permitted("10.2.0.1", allow) and not permitted("fd00:1::5", allow)


@given(st.ip_addresses())
def test_no_private_or_loopback_address_passes_whatever_it_is(address):
    if address.is_private or address.is_loopback or address.is_link_local:
        mapped = getattr(address, "ipv4_mapped", None)
        assert not permitted(str(address), ()) or (mapped is not None and mapped.is_global)


def test_a_network_that_is_none_is_refused_with_what_to_write():
    with pytest.raises(ValueError, match=r"BOOMERANG_EGRESS_ALLOW: 'ten' is not a network; write them like"):
        networks(["ten"])


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example", "https://", "https:///x",
        "https://user:pw@a.example/", "https://a.example/#part", "https://a.example:0/", "https://a.example:99999/",
        "https://a.example/\r\nHost: b", "https://a b.example/", "https://[::1", "https://пример.рф/", "https://a\\b.example",
        "javascript:alert(1)", "https://a.example/" + "x" * 2048,
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_hook_is_told_apart(url):
    assert unusable(url)


def test_an_ordinary_address_is_usable():
    assert unusable("https://hooks.slack.com/services/T0/B0/xyz?a=b") == ""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0), (" 1.5 ", 1.5), ("-4", 0.0), ("999999999", 86_400.0), ("inf", 86_400.0), ("nan", None), ("", None),
        (None, None), ("soon", None), ("Wed, 21 Oct 2026 07:28:00 GMT", 30.0), ("Wed, 21 Oct 2020 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2026", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date(value, seconds):
    assert retry_after(value, 1_792_567_650.0) == seconds


async def test_a_request_arrives_as_it_was_made_and_the_moment_comes_before_it(egress):
    async with hook(lambda request: (201, {"Retry-After": "7"}, b"taken")) as provider:
        seen = []

        async def moment():
            seen.append((provider.connections, len(provider.requests)))

        reply = await egress.post(provider.url + "/a?b=c", b"{}", {"Content-Type": "application/json"}, moment)
    assert reply == (201, b"taken", 7.0) and str(reply) == "201 taken"
    assert seen == [(1, 0)] or seen == [(0, 0)]
    request = provider.requests[0]
    assert (request.path, request.body) == ("/a", b"{}")
    assert request.headers["content-type"] == "application/json" and request.headers["accept-encoding"] == "identity"


async def test_an_idle_connection_is_used_again(egress):
    async with hook() as provider:
        for _ in range(3):
            await egress.post(provider.url, b"", {}, granted)
        assert (provider.connections, len(provider.requests)) == (1, 3)


async def test_what_the_moment_raises_comes_out_and_nothing_was_sent(egress):
    class Held(OSError):
        pass

    async def held():
        raise Held("no")

    async with hook() as provider:
        with pytest.raises(Held):
            await egress.post(provider.url, b"", {}, held)
        await egress.post(provider.url, b"after", {}, granted)
        assert [request.body for request in provider.requests] == [b"after"]


async def test_a_redirect_is_an_answer_and_not_followed(egress):
    async with hook() as inner, hook(lambda request: (302, {"Location": inner.url}, b"")) as provider:
        assert (await egress.post(provider.url, b"", {}, granted)).status == 302
        assert inner.connections == 0


async def test_of_a_long_answer_only_the_beginning_is_read(egress):
    async with hook(lambda request: (200, {}, b"x" * (8 << 20))) as provider:
        assert len((await egress.post(provider.url, b"", {}, granted)).body) == MOST_BODY


@pytest.mark.parametrize("fault", ["close_after", "hang_after"])
async def test_a_request_without_an_answer_is_lost(fault):
    egress = Egress(timeout=1, now=SYSTEM.now, allow=HERE)
    async with hook(fault=fault) as provider:
        with pytest.raises(Lost):
            await egress.post(provider.url, b"", {}, granted)
        assert len(provider.requests) == 1
    await egress.close()


@pytest.mark.parametrize("fault", ["close_before", "hang_before"])
async def test_a_connection_that_is_not_made_is_told_apart_and_the_moment_is_not_asked_for(fault):
    egress = Egress(timeout=1, now=SYSTEM.now, allow=HERE)
    async with hook(fault=fault) as provider:
        with pytest.raises(Unreachable):
            await egress.post(provider.url, b"", {}, _never)
    await egress.close()


async def _never():
    raise AssertionError("the irreversible moment must not be asked for")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"])
async def test_no_spelling_of_this_machine_is_connected_to(host):
    egress = Egress(timeout=5, now=SYSTEM.now)
    async with hook() as provider:
        for scheme in ("http", "https"):
            with pytest.raises((Untrusted, Unreachable)):
                await egress.post(f"{scheme}://{host}:{provider.port}{SECRET}", b"", {}, _never)
        assert provider.connections == 0
    await egress.close()


async def test_a_name_that_resolves_into_the_house_is_refused_at_the_socket(monkeypatch):
    """Also one that resolves to something else the first time: what is judged is what is connected to."""
    answers = [["203.0.113.7"], ["127.0.0.1"], ["10.0.0.1", "127.0.0.1"]]

    def look_up(host, port, *args, **kwargs):
        addresses = answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    egress = Egress(timeout=5, now=SYSTEM.now)
    async with hook() as provider:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        for _ in range(3):
            with pytest.raises(Untrusted, match="BOOMERANG_EGRESS_ALLOW"):
                await egress.post(f"https://rebinding.example:{provider.port}/", b"", {}, _never)
        assert provider.connections == 0 and answers == []
    await egress.close()


async def test_a_name_that_does_not_exist_is_unreachable(egress, monkeypatch):
    def look_up(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(Unreachable):
        await egress.post("https://nowhere.example/", b"", {}, _never)


async def test_a_certificate_that_does_not_verify_needs_a_person(egress, server_tls):
    async with hook(tls=server_tls) as provider:
        with pytest.raises(Untrusted, match="self-signed"):
            await egress.post(f"https://127.0.0.1:{provider.port}/", b"", {}, _never)
        assert provider.requests == []


async def test_reasons_do_not_tell_the_address_of_the_request(server_tls):
    egress = Egress(timeout=1, now=SYSTEM.now, allow=HERE)
    for fault, tls in (("close_after", None), ("hang_after", None), ("hang_before", None), ("", server_tls)):
        async with hook(fault=fault, tls=tls) as provider:
            url = provider.url if not tls else f"https://127.0.0.1:{provider.port}"
            with pytest.raises((Lost, Unreachable, Untrusted)) as caught:
                await egress.post(url + SECRET, b"", {}, granted)
            assert "secret" not in str(caught.value) and str(caught.value)
    await egress.close()


async def test_a_cancellation_stays_one(egress):
    async with hook(fault="hang_after") as provider:
        task = asyncio.create_task(egress.post(provider.url, b"", {}, granted))
        await asyncio.wait_for(provider.reached.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_date_is_read_against_the_clock_that_was_given():
    clock = ManualClock(1_792_567_650.0)
    egress = Egress(timeout=5, now=clock.now, allow=HERE)
    async with hook(lambda request: (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"")) as provider:
        assert (await egress.post(provider.url, b"", {}, granted)).after == 30.0
    await egress.close()
