"""`boomerang bounces` on a real Kafka: a report in a file is a receipt, once."""

import pytest

from app.clock import SYSTEM
from app.codec import decode_receipt
from app.engine.provision import provision
from app.model.receipt import Spoken
from app.settings import child_environment
from app.tokens import load_secret, receipt_token
from tests.app.web.receipts.reports import ABUSE, POSTFIX, filled
from tests.broker.test_chat import broker_of

pytestmark = pytest.mark.broker


async def test_reports_in_files_are_receipts_once(make_settings, tmp_path):
    import asyncio
    import sys

    settings = make_settings(secret="a-secret-of-this-installation")
    await provision(settings)
    spoken = Spoken("anna", "email", "ab12.0", "abandoned_cart")
    token = receipt_token(load_secret(settings), spoken, SYSTEM.now())
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "1").write_bytes(filled(POSTFIX, token))
    (folder / "2").write_bytes(filled(ABUSE, token))
    (folder / "3").write_bytes(filled(POSTFIX, "forged"))

    async def read(*names, stdin=b""):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", "bounces", *names,
            env=child_environment(settings), stdin=-1, stdout=-1, stderr=-1,
        )  # fmt: skip
        out, err = await asyncio.wait_for(child.communicate(stdin), 120)
        assert child.returncode == 0, err.decode()
        return out.decode().strip()

    assert await read(str(folder)) == "told 2, repeated 0, forged 1, nothing 0, failed 0"
    assert await read("-", stdin=filled(POSTFIX, token)) == "told 0, repeated 1, forged 0, nothing 0, failed 0"
    receipts = [decode_receipt(record.value) for record in await broker_of(settings).read("receipts")]
    assert sorted(receipt.outcome for receipt in receipts) == ["bounced", "complained"]
    assert {receipt.customer for receipt in receipts} == {"anna"}
