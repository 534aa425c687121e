"""The policy is changed while the sender works: a valid one counts from the next message on. See `folder.py`; the worker has `reload.py`."""

import asyncio
import logging

from agents.delivery.service import Delivery
from agents.policy import PolicyError, load_policy
from app.engine.folder import Files, FolderWatch, Refused
from app.settings import Settings

log = logging.getLogger(__name__)


class PolicyReloader(FolderWatch):
    """Attached to the sender's app."""

    def __init__(self, settings: Settings, delivery: Delivery) -> None:
        """`delivery` has the policy as it is in the file now."""
        super().__init__("policy", Files((), "", (settings.policy,)), settings.reload_seconds)
        self._settings, self._delivery = settings, delivery

    async def take(self) -> None:
        """Read the policy anew. Raises Refused."""
        try:
            policy = await asyncio.to_thread(load_policy, self._settings.policy, time_scale=self._settings.time_scale)
        except PolicyError as error:
            raise Refused(str(error)) from None
        self._delivery.take(policy)
        log.info("policy taken from %s", self._settings.policy)
