"""The batch reference: which triggers must have fired, from the whole history in event time. Slow and obvious.

It knows the built-in scenarios from docs/scenarios.md by heart and shares no code with the engine. For every question it
looks at the full list of what the customer did so far.

The engine may decide late (crashes, outages). What the reference takes from the outside world, besides the history: at
which moment each decision was taken (the journal says so, and it must not be early), and what the relay said. Where an
event reached the log between the moment at which the engine had to look (due + grace) and the moment at which it did, both
outcomes are right: such a customer is called racing and compared by invariants only.
"""

from hashlib import blake2b
from typing import NamedTuple

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
GRACE = 2.0
NO_VISIT = ("consent", "login", "unsubscribe")
"""A back end says these: nobody is on the site."""
LATEST = HOUR
"""No decision is later than this, since faults do not last longer even when they meet."""


class Scenario(NamedTuple):
    id: str
    priority: int
    wait: float
    after_leaving: bool
    starts: str
    ends: tuple


SCENARIOS = (
    Scenario("abandoned_cart", 40, HOUR, False, "cart changed", ("ordered", "cart emptied")),
    Scenario("abandoned_product", 30, 3 * HOUR, True, "viewed", ("ordered",)),
    Scenario("abandoned_category", 20, 3 * HOUR, True, "category", ("ordered",)),
    Scenario("abandoned_search", 10, 3 * HOUR, True, "searched", ("ordered",)),
)


class Did(NamedTuple):
    """One thing a customer did. `known` is when the log had it, in the part of it where the customer's state was."""

    t: float
    known: float
    kind: str
    what: str
    category: str
    id: str


class Must(NamedTuple):
    """A trigger that must have fired."""

    scenario: str
    anchor: str
    due: float
    items: frozenset


class Racing(Exception):
    """Both outcomes are right."""


class Facts(NamedTuple):
    """`moments`: (scenario, rounded due) -> when it was decided. `ends`: trigger id -> (outcome, when the log had it)."""

    moments: dict
    ends: dict
    slack: float
    """By how much the wall clock was ever wrong, seconds."""
    disturbed: list
    """When a worker was stopped, started, stalled or lost a partition, epoch seconds."""

    def moment(self, scenario, due, upcoming):
        """When it was decided; where nobody said so, at once, unless something that came next may have been faster."""
        known = self.moments.get((scenario, round(due, 3)))
        if known is not None:
            return known
        near = upcoming is not None and upcoming.t < due + GRACE + LATEST
        if near and any(due - 10.0 <= at <= upcoming.known + 15 * MINUTE for at in self.disturbed):
            raise Racing(f"{upcoming.id} came in an outage in which {scenario} was due")
        return due + GRACE


def trigger_id(scenario, customer, anchor):
    words = f"{scenario}\x1f1\x1f{customer}\x1f{anchor}\x1f0"
    return blake2b(words.encode(), digest_size=16).hexdigest()


def triggers(customer, did, facts):
    """What must have fired for one customer, given everything that the customer did, in any order. Raises Racing."""
    did = sorted(did)
    _check_order(did)
    out, fired = [], []
    decided = dict.fromkeys((scenario.id for scenario in SCENARIOS), 0)
    known = 0
    signals = [_signals(did[: number + 1]) for number in range(len(did))]
    while True:
        waiting = _waiting(did[:known], signals, decided)
        due = min((at for _, _, at in waiting), default=None)
        upcoming = did[known] if known < len(did) else None
        if due is None:
            if upcoming is None:
                return out
            known += 1
            continue
        ready = sorted((item for item in waiting if item[2] == due), key=lambda item: -item[0].priority)
        if upcoming is not None and upcoming.known < due + GRACE - facts.slack:
            known += 1
            continue
        moments = [facts.moment(item[0].id, due, upcoming) for item in ready]
        if any(one.t <= max(moments) + facts.slack for one in did[known:]):
            raise Racing(f"{upcoming.id} reached the log while {ready[0][0].id} was due")
        spoken = False
        for (scenario, anchor, _), moment in zip(ready, moments, strict=True):
            decided[scenario.id] = known
            items = _left(scenario, did[:known])
            if spoken or items is None or _held(customer, scenario, did[:known], fired, due, moment, facts):
                continue
            spoken = True
            out.append(Must(scenario.id, anchor, round(due, 3), items))
            fired.append((scenario.id, anchor, moment))


def _waiting(did, signals, decided):
    """(scenario, anchor, due) of everything that waits after `did`.

    `signals`: what each of them meant when it came. `decided`: up to where each scenario has been decided.
    """
    seen = _last_seen(did)
    out = []
    for scenario in SCENARIOS:
        anchor = None
        for number, one in enumerate(did):
            if any(name in scenario.ends for name in signals[number]):
                anchor = None
            if scenario.starts in signals[number] and number >= decided[scenario.id]:
                anchor = one
        if anchor is not None:
            start = max(seen, anchor.t) if scenario.after_leaving else anchor.t
            out.append((scenario, anchor.id, start + scenario.wait))
    return out


def _last_seen(did):
    return max((one.t for one in did if one.kind not in NO_VISIT), default=0.0)


def _signals(did):
    """What the last of `did` means."""
    last, before = did[-1], did[:-1]
    if last.kind == "add":
        return ("cart changed",)
    if last.kind == "remove":
        if last.what not in _cart(before):
            return ()
        return ("cart changed",) if len(_cart(before)) > 1 else ("cart emptied",)
    if last.kind == "view":
        return ("viewed", "category") if _is_category(did) else ("viewed",)
    return {"search": ("searched",), "order": ("ordered",)}.get(last.kind, ())


def _cart(did):
    cart = {}
    for one in did:
        if one.kind == "add":
            cart[one.what] = True
        elif one.kind == "remove":
            cart.pop(one.what, None)
        elif one.kind == "order":
            cart.clear()
    return cart


def _is_category(did):
    """Whether the view that `did` ends with is of the third different product of its category within half an hour."""
    last = did[-1]
    recent = {
        one.what
        for one in did
        if one.kind == "view" and one.category == last.category and one.t >= last.t - 30 * MINUTE
    }
    return len(recent) >= 3


def _consents(words):
    """Whether there is consent now. What a customer unsubscribed from comes back only with a word on where it was said."""
    granted = spoken = False
    for one in words:
        if one.kind == "unsubscribe":
            granted, spoken = False, True
        elif one.what == "no":
            granted = spoken = False
        elif not spoken or one.what == "form":
            granted, spoken = True, False
    return granted


def _last_order(did):
    return max((one.t for one in did if one.kind == "order"), default=None)


def _left_views(did, since):
    """Products that were viewed since then and neither put into the cart nor bought, with the time of the last view."""
    views = {}
    for number, one in enumerate(did):
        if one.kind == "view":
            views[one.what] = (one.t, one.category, one.what in _cart(did[:number]))
        elif one.kind == "add" and one.what in views:
            views[one.what] = (*views[one.what][:2], True)
        elif one.kind == "order":
            views = {what: (t, category, True) for what, (t, category, _) in views.items()}
    return {what: (t, category) for what, (t, category, taken) in views.items() if not taken and t >= since}


def _left(scenario, did):
    """The products that the message shows; None: nothing is left to write about."""
    since = _last_seen(did) - DAY
    views = _left_views(did, since)
    bought = _last_order(did) or 0.0
    if scenario.id == "abandoned_cart":
        cart = _cart(did)
        return frozenset(cart) if cart else None
    if scenario.id == "abandoned_product":
        return _newest(views) if views else None
    if scenario.id == "abandoned_category":
        seen = [
            one for n, one in enumerate(did) if one.kind == "view" and one.t >= since and _is_category(did[: n + 1])
        ]
        seen = [one for one in seen if one.t > bought]
        if not seen:
            return None
        views = {what: (t, category) for what, (t, category) in views.items() if category == seen[-1].category}
        return _newest(views) if views else None
    searches = [one for one in did if one.kind == "search" and one.t >= since and one.t > bought]
    if not searches:
        return None
    return _newest({what: view for what, view in views.items() if view[0] >= searches[-1].t})


def _newest(views):
    return frozenset(sorted(views, key=lambda what: views[what][0])[-6:])


def _held(customer, scenario, did, fired, due, moment, facts):
    """Whether anything holds the scenario back. Raises Racing when that hangs on what cannot be known."""
    order = _last_order(did)
    if order is not None and moment - order < DAY:
        return True
    if any(name == scenario.id and moment - at < DAY for name, _, at in fired):
        return True
    if any(at >= _last_seen(did) for _, _, at in fired):
        return True
    words = [one for one in did if one.kind in ("consent", "login", "unsubscribe")]
    if not any(one.kind in ("consent", "login") for one in words):
        return True
    if not _consents(words):
        return True
    doubts = False
    for name, anchor, at in fired:
        outcome, known = facts.ends.get(trigger_id(name, customer, anchor), ("open", 0.0))
        settled = outcome != "open" and known < due + GRACE - facts.slack
        racing = outcome != "open" and not settled and known <= moment + facts.slack
        if outcome == "bounced" and settled:
            return True
        if racing and outcome == "bounced":
            doubts = True
        if moment - at >= 16 * HOUR:
            continue
        if racing or (
            not settled and any(one.t > at - HOUR and one.kind in ("remove", "consent", "unsubscribe") for one in did)
        ):
            doubts = True
        elif not settled or outcome in ("sent", "ambiguous"):
            return True
    if doubts:
        raise Racing("the end of an earlier message was not known for sure")
    return False


_SENSITIVE = ({"remove", "add"}, {"remove"}, {"remove", "order"}, {"remove", "view"}, {"view"})


def _check_order(did):
    """What only the order of arrival tells is not defined when that was not the order of events."""
    for number, one in enumerate(did):
        for other in did[number + 1 :]:
            kinds = {one.kind, other.kind}
            if "unsubscribe" in kinds and kinds & {"consent", "login"} and abs(other.known - one.known) < 30 * MINUTE:
                raise Racing("the order between topics is not defined")
            if other.known < one.known and {one.kind, other.kind} in _SENSITIVE:
                if (one.kind, other.kind) == ("remove", "add"):
                    continue  # what was put into the cart after a removal is there, whenever that is heard of
                if one.kind == "view" and (one.category != other.category or other.t - one.t > 31 * MINUTE):
                    continue
                raise Racing(f"{one.kind} and {other.kind} changed places on the way")
