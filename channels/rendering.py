"""Rendering without stopping the others: at once as a rule, in a thread what takes long, not at all what took too long before.

The event loop renders a message within 50 ms of CPU or not at all. What did not get ready by then is rendered by a thread of its own,
which has 2 s of CPU and shares the interpreter with the loop in turns of 5 ms. A template that does not make it there either is left
alone for five minutes: its messages are parked at once, with the reason, and keep no other from being sent.
"""

from collections.abc import Awaitable, Callable
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
Thread = Callable[[Callable[[], Texts]], Awaitable[Texts]]
"""Does something in a thread and waits for it (channels/beside.py)."""


class Rendering:
    """Renders with `templates`. `now` measures how long a template is known as slow; without a thread all is rendered at once."""

    def __init__(self, templates: Templates, now: Callable[[], float], thread: Thread | None = None) -> None:
        self._templates, self._now, self._thread = templates, now, thread
        self._twin: Templates | None = None
        self._generation = templates.generation
        self._slow: dict[Which, float] = {}
        self._stopped: dict[Which, float] = {}

    async def render(self, name: str, trigger: Trigger, signed: str, card: Card | None, channel: str) -> Texts:
        """The texts of one message; `signed` is its link to unsubscribe, or to confirm. Raises RenderError."""
        if self._generation != self._templates.generation:  # other templates may be quicker ones
            self._generation, self._twin = self._templates.generation, None
            self._slow, self._stopped = {}, {}
        which = (name, self._templates.language(trigger.locale), channel)
        if _known(self._stopped, which, self._now()):
            raise RenderError(f"template {which[1]}/{name}: took too long before; it is left alone for {REST:.0f} s")
        if not _known(self._slow, which, self._now()):
            try:
                return self._templates.render(name, trigger, signed, card, channel=channel, seconds=AT_ONCE)
            except RenderTooSlowError:
                self._slow[which] = self._now() + REST
        self._twin = self._twin or self._templates.twin()  # a sandbox counts one rendering at a time
        work = partial(self._twin.render, name, trigger, signed, card, channel=channel, seconds=ASIDE)
        try:
            return work() if self._thread is None else await self._thread(work)
        except RenderTooSlowError:
            self._stopped[which] = self._now() + REST
            raise


def _known(marked: dict[Which, float], which: Which, now: float) -> bool:
    until = marked.get(which)
    if until is not None and until <= now:
        del marked[which]
        return False
    return until is not None
