"""What goes to the sender, and where: the partition in which the message lies that it is about. Pure."""

from app.codec import encode_json
from app.model.alert import AlertUpdate
from app.model.trigger import Cancel, Trigger
from app.topics import OUTBOX, partition_of
from tables.step import Step


def hand_over(step: Step, key: str, outgoing: Trigger | Cancel | AlertUpdate, partitions: int) -> None:
    """Publish what customer `key` has caused. A message that went out while the customer had another key is changed under that one."""
    home = outgoing.customer
    step.send(OUTBOX.name, home, encode_json(outgoing), None if home == key else partition_of(home, partitions))
