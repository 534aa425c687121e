"""How much room is left where the product keeps its files."""

import shutil
from pathlib import Path
from typing import NamedTuple


class Room(NamedTuple):
    """The nearest folder that exists, and bytes of its file system."""

    folder: Path
    free: int
    total: int


def room_at(folder: Path) -> Room:
    """A folder that nobody has made yet will lie where its nearest parent lies: a worker that writes no files makes none."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return Room(folder, usage.free, usage.total)
