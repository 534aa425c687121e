"""Rendering without stopping the others: at once as a rule, in a thread what takes long, not at all what took too long before.

The event loop renders a message within 50 ms of CPU or not at all. What did not get ready by then is rendered by a thread of its own,
which has 2 s of CPU and shares the interpreter with the loop in turns of 5 ms. A template that does not make it there either is left
alone for five minutes: its messages are parked at once, with the reason, and keep no other from being sent.
"""

from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from app.model.trigger import Trigger
from channels.alert import Card
from channels.render import RenderError, RenderTooSlowError, Templates, Texts

AT_ONCE = 0.05
"""Seconds of CPU on the event loop."""
ASIDE = 2.0
"""Seconds of CPU in the thread."""
REST = 300.0
"""Seconds that a template is known as slow, or as too slow."""

Which = tuple[str, str, str]


class Rendering:
    """Renders with `templates`. `monotonic` measures how long a template is known as slow."""

    def __init__(self, templates: Templates, monotonic: Callable[[], float]) -> None:
        self._templates, self._monotonic = templates, monotonic
        self._aside: tuple[Templates, ThreadPoolExecutor] | None = None
        self._slow: dict[Which, float] = {}
        self._stopped: dict[Which, float] = {}

    async def render(self, name: str, trigger: Trigger, unsubscribe: str, card: Card | None, channel: str) -> Texts:
        """The texts of one message. Raises RenderError."""
        which = (name, self._templates.language(trigger.locale), channel)
        if _known(self._stopped, which, self._monotonic()):
            raise RenderError(f"template {which[1]}/{name}: took too long before; it is left alone for {REST:.0f} s")
        if not _known(self._slow, which, self._monotonic()):
            try:
                return self._templates.render(name, trigger, unsubscribe, card, channel=channel, seconds=AT_ONCE)
            except RenderTooSlowError:
                self._slow[which] = self._monotonic() + REST
        templates, thread = self._beside()
        work = partial(templates.render, name, trigger, unsubscribe, card, channel=channel, seconds=ASIDE)
        try:
            return await get_running_loop().run_in_executor(thread, work)
        except RenderTooSlowError:
            self._stopped[which] = self._monotonic() + REST
            raise

    def _beside(self) -> tuple[Templates, ThreadPoolExecutor]:
        """The thread and its own compiled templates: a sandbox counts one rendering at a time."""
        if self._aside is None:
            self._aside = self._templates.twin(), ThreadPoolExecutor(1, "render")
        return self._aside


def _known(marked: dict[Which, float], which: Which, now: float) -> bool:
    until = marked.get(which)
    if until is not None and until <= now:
        del marked[which]
        return False
    return until is not None
