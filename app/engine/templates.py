"""Templates are changed while the sender works: those that compile, all of them, are used from the next message on. See `folder.py`."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from app.engine.folder import Files, FolderWatch, Refused
from channels.render import Templates

log = logging.getLogger(__name__)


class TemplateReloader(FolderWatch):
    """Attached to the sender's app."""

    def __init__(self, templates: Templates, folders: Sequence[Path], seconds: float) -> None:
        """`folders` are those that `templates` come from."""
        super().__init__("templates", Files(folders, "*/*.j2"), seconds)
        self._templates = templates

    async def take(self) -> None:
        """Read all templates anew. Raises Refused where one of them cannot be used."""
        fresh = self._templates.twin()
        problems = await asyncio.to_thread(fresh.load)
        if problems:
            raise Refused("; ".join(problems[:5]))
        self._templates.take(fresh)
        log.info("templates are read anew")
