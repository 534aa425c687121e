"""Our SMTP against a server that others have written: Postfix's smtp-sink, with faults at its commands."""

import asyncio
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from channels.channel import Ambiguous, Misconfigured, Rejected, Retry, Sent
from tests.channels.test_email import MESSAGE, email, granted
from tests.servers import eventually, free_port

PROGRAM = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture
def folder():
    """One that every user can write to."""
    with tempfile.TemporaryDirectory(prefix="boomerang-sink-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@asynccontextmanager
async def sink(folder, *faults):
    """Its port; what it has taken lies in `folder`, a mail a file."""
    if PROGRAM is None:
        told = "SMTP-SINK IS NOT INSTALLED: our SMTP is not tried against it (apt-get install postfix)"
        assert not os.environ.get("BOOMERANG_REQUIRE_ALL"), told
        pytest.skip(told)
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it asks for that
    command = [*user, *faults, "-d", f"{folder}/%M.", f"127.0.0.1:{port}", "100"]
    process = await asyncio.create_subprocess_exec(PROGRAM, *command, stdout=-3, stderr=-3)

    async def listens():
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True

    try:
        await eventually(listens, 30, "smtp-sink listens")
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def over(port, **options):
    channel = email(port, **options)
    try:
        yield channel
    finally:
        await channel.stop()


def taken(folder):
    return [path.read_bytes() for path in sorted(folder.iterdir())]


async def test_mails_arrive_one_after_the_other_over_few_connections(folder):
    async with sink(folder) as port, over(port) as channel:
        messages = [MESSAGE._replace(message_id=f"ab{n}.0", address=f"c{n}@shop.example") for n in range(20)]
        answers = await asyncio.gather(*(channel.send(message, granted) for message in messages))
        assert all(isinstance(answer, Sent) for answer in answers)
    found = [message_from_bytes(raw.partition(b"\n\n")[0] + b"\n\n", policy=default) for raw in taken(folder)]
    assert sorted(mail["Message-ID"] for mail in found) == sorted(f"<ab{n}.0@shop.example>" for n in range(20))
    assert {mail["X-Rcpt-Args"] for mail in found} == {f"<c{n}@shop.example>" for n in range(20)}


@pytest.mark.parametrize(
    ("faults", "meaning"),
    [
        (("-f", "rcpt"), Rejected),
        (("-r", "rcpt"), Retry),
        (("-f", "mail"), Misconfigured),
        (("-r", "mail"), Retry),
        (("-q", "data"), Retry),
        (("-f", "."), Rejected),
        (("-r", "."), Retry),
        (("-q", "."), Ambiguous),
    ],
    ids=lambda value: "".join(value) if isinstance(value, tuple) else "",
)
async def test_each_of_its_faults_has_its_meaning(folder, faults, meaning):
    async with sink(folder, *faults) as port, over(port) as channel:
        answer = await channel.send(MESSAGE, granted)
    assert isinstance(answer, meaning), answer
    assert not isinstance(answer, Rejected) or not answer.suppress  # 500 5.3.0 says nothing of the address
