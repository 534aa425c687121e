"""Open dialogs, as part of a customer's state: what was said last and by whom, the clocks, the alert. Pure data.

Field order is the format of the changelog: new fields go before `end`, which keeps the last byte of a row with dialogs from being
the one of a row without (`tables/activity.py` looks at it).
"""

from hashlib import blake2b

import msgspec

from app.model.alert import ENDED, AlertState, Watch
from app.model.chat import DialogStatus, Speaker

DIALOGS = 8
"""Dialogs of one customer; those that are over go first, then the oldest."""
TEXT = 160
"""Characters of a word that are kept."""
TEXT_BYTES = 320
"""And bytes of it: a text of nothing but emoji is cut shorter."""
NAME = 80
TAGS = 4
TAG = 40
KEEP_RESOLVED = 86_400.0
"""Seconds that a dialog is known after its end: what comes late finds it closed."""
KEEP_QUIET = 30 * 86_400.0
"""Seconds after which a dialog that nobody closed, and in which nothing happens, is forgotten."""
SEEN = 8
DIGEST = 8
HOMES = 3
"""Keys that an alert remembers: a messenger's, a phone's or an address's, and the user's."""
Episodes = dict[Watch, tuple[str, tuple[float, float] | None]]
"""Watch -> what its present episode hangs on, and its clock as `Dialog.running` gives it."""


class LiveAlert(msgspec.Struct, array_like=True, gc=False):
    """The alert of a dialog. `steps` counts its messages; `told_at` is when the last level was told. See `app/model/alert.py`."""

    alert_id: str
    scenario: str
    version: int
    watch: Watch
    fired_at: float
    since: float
    state: AlertState = AlertState.OPEN
    level: int = 0
    told_at: float = 0.0
    steps: int = 0
    by: str = ""
    by_name: str = ""
    until: float = 0.0
    priority: int = 0
    note: str = ""
    returned_at: float = 0.0
    told: list[str] | None = None
    """Who has been told: members, "" for the team."""
    homes: list[str] | None = None
    """Keys that the customer had when messages went out: the ledger knows those there."""

    @property
    def live(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.state not in ENDED


class Dialog(msgspec.Struct, array_like=True, gc=False):
    """One dialog. Times are epoch seconds, spans business seconds.

    The client waits since `asked_at` (0: not), with the message `asked_id`. That wait's clock has run for `wait_spent` before
    `run_at` and runs since then (0: it stands); `work_spent` is the same for everything since `opened_at`.
    """

    key: str
    opened_at: float
    opened_id: str = ""
    status: DialogStatus = DialogStatus.OPEN
    status_at: float = 0.0
    manager: str = ""
    manager_name: str = ""
    assigned_at: float = 0.0
    taken_by: str = ""
    taken_name: str = ""
    name: str = ""
    url: str = ""
    tags: list[str] | None = None
    client_id: str = ""
    client_at: float = 0.0
    client_text: str = ""
    manager_at: float = 0.0
    manager_text: str = ""
    asked_at: float = 0.0
    asked_id: str = ""
    run_at: float = 0.0
    wait_spent: float = 0.0
    work_spent: float = 0.0
    first_response: float = -1.0
    """Until the first answer; negative: there is none yet."""
    next_response: float = -1.0
    """Until the last answer."""
    settled: dict[str, bytes] | None = None
    """Watch -> digest of the episode that has had its alert, or needs none."""
    snoozed_until: float = 0.0
    changed_at: float = 0.0
    alert: LiveAlert | None = None
    seen: bytes = b""
    """Digests of the last events, to drop repeated ones."""
    end: bool = True

    @property
    def provider(self) -> str:
        """The messenger."""
        return self.key.split(":", 1)[0]

    @property
    def source(self) -> str:
        """The account at the messenger."""
        return self.key.split(":", 2)[1]

    @property
    def over(self) -> bool:
        """Whether it has been resolved."""
        return self.status is DialogStatus.RESOLVED

    @property
    def last_word_at(self) -> float:
        """When client or manager spoke last."""
        return max(self.client_at, self.manager_at)

    @property
    def last_speaker(self) -> Speaker | None:
        """Who had the last word; None: nobody has spoken."""
        if not self.last_word_at:
            return None
        return Speaker.CLIENT if self.asked_at else Speaker.MANAGER

    @property
    def forget_at(self) -> float:
        """When it need not be known any more."""
        return self.status_at + KEEP_RESOLVED if self.over else self.changed_at + KEEP_QUIET

    def anchor(self, watch: Watch) -> str:
        """What an episode of the watch hangs on: one silence, one alert."""
        if watch is Watch.SILENT_CLIENT:
            return self.client_id or self.opened_id
        return self.opened_id if watch is Watch.RESOLUTION else self.asked_id

    def settle(self, *watches: Watch) -> None:
        """The present episodes of the watches need no (further) alert."""
        self.settled = {**(self.settled or {}), **{watch.value: digest(self.anchor(watch)) for watch in watches}}

    def is_settled(self, watch: Watch) -> bool:
        """Whether the present episode of the watch has had its alert."""
        return self.settled is not None and self.settled.get(watch.value) == digest(self.anchor(watch))

    def note(self, event_id: str) -> bool:
        """Note an event; False: it is one of the last few that were noted before."""
        known = digest(event_id)
        if any(self.seen[start : start + DIGEST] == known for start in range(0, len(self.seen), DIGEST)):
            return False
        self.seen = (self.seen + known)[-DIGEST * SEEN :]
        return True

    def running(self, watch: Watch) -> tuple[float, float] | None:
        """Since when the clock of the watch runs, and what it has run before; None: it does not run."""
        if watch is Watch.SILENT_CLIENT:
            silent = self.manager_at > 0 and self.manager_at >= self.client_at and not self.asked_at
            runs = silent and self.status in (DialogStatus.OPEN, DialogStatus.PENDING)
            return (self.manager_at, 0.0) if runs else None
        if not self.run_at:
            return None
        if watch is Watch.RESOLUTION:
            return self.run_at, self.work_spent
        return (self.run_at, self.wait_spent) if (watch is Watch.FIRST_RESPONSE) == (self.first_response < 0) else None

    def episodes(self) -> Episodes:
        """The present episode of each watch."""
        return {watch: (self.anchor(watch), self.running(watch)) for watch in Watch}


def digest(text: str) -> bytes:
    """A short stand-in for an id."""
    return blake2b(text.encode(), digest_size=DIGEST).digest()


def last_word_at(dialogs: list[Dialog]) -> tuple[float, float]:
    """When the last word fell in a dialog that goes on, and in one that is over; 0: in none."""
    going = max((item.last_word_at for item in dialogs if not item.over), default=0.0)
    return going, max((item.last_word_at for item in dialogs if item.over), default=0.0)


def find(dialogs: list[Dialog] | None, key: str) -> Dialog | None:
    """The dialog of that key."""
    for item in dialogs or ():
        if item.key == key:
            return item
    return None


def merge(owner: list[Dialog] | None, alias: list[Dialog] | None) -> list[Dialog] | None:
    """Dialogs of both customers; of one that both know, what is known later."""
    if not alias or not owner:
        return owner or alias
    both = {item.key: item for item in alias}
    for item in owner:
        other = both.get(item.key)
        if other is None or item.changed_at >= other.changed_at:
            both[item.key] = item
    return sorted(both.values(), key=lambda item: item.changed_at)


def depart(dialogs: list[Dialog] | None, key: str) -> None:
    """The dialogs leave the customer key `key` for another: whoever has been told of their alerts is found there later."""
    for dialog in dialogs or ():
        live = dialog.alert
        if live is not None and live.live and live.steps and key not in (live.homes or ()):
            live.homes = [*(live.homes or ()), key][-HOMES:]
