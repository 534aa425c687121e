"""Receipts as records of the topic, each with an id by which a repetition is known."""

from hashlib import blake2b

from app import topics
from app.codec import encode_json
from app.model.receipt import Receipt
from app.settings import Settings
from app.web.collector.record import Record


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
