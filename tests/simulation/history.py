"""What customers do: one list from one seed. Also how late, how often and whether at all the log hears of it."""

import random
from typing import NamedTuple

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
GRACE = 2.0
CATEGORIES = ("lamps", "sofas")
PRODUCTS = tuple((f"p{number}", CATEGORIES[number % 2]) for number in range(8))
QUERIES = ("blue", "green", "red")


class Happening(NamedTuple):
    """One thing that happened at `t` (epoch seconds). `arrivals`: when the log gets it, each time (empty: never).

    `who` is the customer's key. `kind`: view, add, remove, search, order, page, consent, login, unsubscribe. `what` is the
    product, the query, "yes", "form" (yes, and where it was said) or "no", or the visitor of a login.
    """

    t: float
    who: str
    kind: str
    what: str
    id: str
    arrivals: tuple


def history(seed, events, start):
    """`events` happenings in order of time."""
    rng = random.Random(f"{seed}/history")
    people = [_Person(rng, number, start) for number in range(max(events // 18, 2))]
    out = []
    while len(out) < events:
        person = min(people, key=lambda one: one.t)
        out += person.live()
    out = sorted(out, key=lambda item: item.t)[:events]
    return [item._replace(t=round(item.t, 3), id=f"e{number}") for number, item in enumerate(out)]


class _Person:
    """A customer, or a visitor who logs in at some time."""

    def __init__(self, rng, number, start):
        self.rng, self.number = rng, number
        self.t = start + rng.uniform(0, 6 * HOUR)
        self.user = f"u{number}"
        self.visitor = rng.random() < 0.2
        self.key = f"anon:a{number}" if self.visitor else self.user
        self.messy = rng.random() < 0.3
        """Whose events are late beyond the grace."""
        self.begun = False

    def live(self):
        """The next session."""
        rng, out = self.rng, []
        if not self.begun:
            self.begun = True
            if not self.visitor:
                self._do(out, "consent", "yes" if rng.random() < 0.9 else "no")
        for _ in range(rng.randint(1, 9)):
            self._act(out)
        if self.visitor and self.key != self.user and rng.random() < 0.7:
            self.key = self.user
            self._do(out, "login", f"a{self.number}")
            for _ in range(rng.randint(0, 2)):
                self._act(out)
            if rng.random() < 0.1:
                self.t += rng.uniform(1, 600)
                out.append(self._happening("page", "", f"anon:a{self.number}"))
        self._end(out)
        return out

    def _act(self, out):
        rng = self.rng
        kind = rng.choices(
            ("view", "add", "remove", "search", "order", "page", "consent", "unsubscribe"), (40, 22, 7, 10, 3, 14, 2, 1)
        )[0]
        if kind in ("consent", "unsubscribe") and self.key != self.user:
            kind = "view"
        if kind in ("view", "add", "remove"):
            what = rng.choice(PRODUCTS)[0]
        elif kind == "search":
            what = rng.choice(QUERIES)
        else:
            what = rng.choice(("yes", "form", "no")) if kind == "consent" else ""
        self._do(out, kind, what)

    def _end(self, out):
        """Leave; come back after a while, often when something is about to be due."""
        rng, chance = self.rng, self.rng.random()
        if chance < 0.25:  # a purchase just before or just after the cart comes due
            self._do(out, "add", rng.choice(PRODUCTS)[0])
            self.t += HOUR + rng.choice((rng.uniform(-60, 1.5), rng.uniform(2.5, 400)))
            self._do(out, "order", "")
            self.t += rng.uniform(2 * HOUR, 30 * HOUR)
        elif chance < 0.4:  # back just before or just after what waits for leaving comes due
            self.t += 3 * HOUR + rng.choice((rng.uniform(-200, 1.5), rng.uniform(2.5, 400)))
        else:
            self.t += rng.choice((rng.uniform(10 * MINUTE, 2 * HOUR), rng.uniform(3 * HOUR, 12 * HOUR), 26 * HOUR))

    def _do(self, out, kind, what):
        self.t += self.rng.choice((0.3, 1.7, self.rng.uniform(1, 30), self.rng.uniform(30, 400))) + self.rng.random()
        out.append(self._happening(kind, what, self.key))

    def _happening(self, kind, what, who):
        return Happening(self.t, who, kind, what, "", self._arrivals())

    def _arrivals(self):
        rng, t = self.rng, self.t
        luck = rng.random()
        if luck < 0.02:
            return ()
        first = t + rng.uniform(0.01, 0.3)
        if luck < 0.10:
            first = t + rng.uniform(0.3, GRACE - 0.1)
        elif luck < 0.18 and self.messy:
            first = t + rng.choice((rng.uniform(GRACE, 90), rng.uniform(GRACE, 900)))
        if rng.random() < 0.12:
            return first, first + rng.choice((rng.uniform(0.01, 5), rng.uniform(1, 120)))
        return (first,)
