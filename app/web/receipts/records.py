"""Receipts as records of the topic, each with an id by which a repetition is known."""

import re
from hashlib import blake2b

from app import topics
from app.codec import encode_json
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt, Spoken
from app.settings import Settings
from app.web.collector.sink import Record

MOST_DETAIL = 200
_ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")


def of_message(spoken: Spoken, outcome: Outcome, at: float, detail: str = "") -> Receipt:
    """The receipt of a message that we have sent; `at` is epoch seconds."""
    trigger = spoken.message_id.rpartition(".")[0]
    return Receipt(
        outcome,
        spoken.customer,
        spoken.channel,
        at,
        spoken.message_id,
        trigger,
        spoken.scenario,
        Reason.RECEIPT,
        _ADDRESS.sub("<address>", detail)[:MOST_DETAIL],
    )


class ReceiptRecords:
    """Makes them."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic_prefix + topics.RECEIPTS.name
        self._partitions = settings.partitions

    def record(self, receipt: Receipt, *same: str) -> Record:
        """The record of a receipt; another one with the same outcome and the same words is its repetition."""
        text = "\0".join(("receipt", receipt.outcome, *same))
        id_ = blake2b(text.encode(errors="replace"), digest_size=16).digest()
        key = receipt.customer
        return Record(self._topic, topics.partition_of(key, self._partitions), key.encode(), encode_json(receipt), id_)
