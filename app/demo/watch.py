"""Holds the mails in the inbox against what the shoppers did: right items for leavers, none for buyers. Pure."""

from collections import Counter
from typing import Any, NamedTuple

from app.demo.stories import BUYERS, CART, DOMAIN, SILENT, Shopper
from app.demo.wisher import CHANNELS, SCENARIO

ABANDONED_CART = "abandoned_cart"
MOST_ITEMS = 10
"""Lines that a cart mail shows at most (app/scenarios/abandoned_cart.yaml)."""

Mail = dict[str, Any]


class Finding(NamedTuple):
    """Something to tell the person at the terminal. `bad`: a promise was broken."""

    text: str
    bad: bool = False


class Watch:
    """What has come of the shoppers so far."""

    def __init__(self, people: list[Shopper], team: frozenset[str] = frozenset()) -> None:
        """`team`: addresses to which alerts go."""
        self._team = team
        self._by_address = {
            address: shopper for shopper in people for address in (shopper.email, shopper.phone) if address
        }
        self._seen: set[Any] = set()
        self.mails: Counter[str] = Counter()
        """Mails to shoppers by scenario."""
        self.others: Counter[str] = Counter()
        """Mails to addresses that are no simulated shopper's: people who tried the shop by hand."""
        self.alerts: Counter[str] = Counter()
        """Alerts to the sales team by scenario."""
        self.earlier = 0
        """Mails to shoppers of an earlier run, whose reminders came due only now."""
        self.buyers_with_mail = 0
        self.wrong: list[str] = []
        """Broken promises, one line each."""
        self.first_cart: Mail | None = None
        """The first abandoned-cart mail to a simulated shopper."""
        self.cascade: list[str] = []
        """Channels over which the shopper with the wish has heard of it, in order."""

    def take(self, mails: list[Mail], started_at: float) -> list[Finding]:
        """Look at the inbox (any order, known mails included); tell what is new since `started_at`, epoch seconds."""
        new = [mail for mail in mails if mail["id"] not in self._seen and mail["sent_at"] >= started_at]
        self._seen.update(mail["id"] for mail in new)
        return [
            finding for mail in sorted(new, key=lambda m: m["sent_at"]) for finding in self._judge(mail, started_at)
        ]

    def _judge(self, mail: Mail, started_at: float) -> list[Finding]:
        scenario = mail.get("scenario") or "no scenario"
        if mail["to"].lower() in self._team:
            self.alerts[scenario] += 1
            return [Finding(f"alert to the team: {mail['subject']}")]
        shopper = self._by_address.get(mail["to"].lower())
        if shopper is None and mail["to"].lower().endswith(DOMAIN):
            self.earlier += 1
            return []
        if shopper is None:
            self.others[scenario] += 1
            return [Finding(f"mail to {mail['to']}: {mail['subject']}")]
        self.mails[scenario] += 1
        if scenario == SCENARIO:
            return self._heard(mail, shopper)
        problem = _problem(mail, scenario, shopper)
        if shopper.story in BUYERS:
            self.buyers_with_mail += 1
        found = []
        if scenario == ABANDONED_CART and self.first_cart is None and not problem:
            self.first_cart = mail
            found.append(Finding(_first(mail, shopper, mail["sent_at"] - started_at)))
        if problem:
            self.wrong.append(problem)
            found.append(Finding(problem, bad=True))
        return found

    def _heard(self, mail: Mail, shopper: Shopper) -> list[Finding]:
        """A stage of the cascade."""
        channel = mail.get("channel") or "email"
        self.cascade.append(channel)
        number, last = len(self.cascade), len(CHANNELS)
        if tuple(self.cascade) != CHANNELS[:number]:
            self.wrong.append(f"{shopper.email} heard of the wish over {', '.join(self.cascade)}")
            return [Finding(self.wrong[-1], bad=True)]
        follows = "and no more follows" if number == last else f"without a reaction {CHANNELS[number]} follows"
        return [Finding(f"stage {number} of {last} of the cascade, by {channel} to {shopper.name}: {follows}")]


def _problem(mail: Mail, scenario: str, shopper: Shopper) -> str:
    """What is wrong with a mail, or nothing."""
    who = f"{shopper.email} ({shopper.story})"
    if shopper.story in SILENT:
        return f"{who} must get no mail, and got: {mail['subject']}"
    if scenario != ABANDONED_CART:
        return ""
    if shopper.story != CART:
        return f"{who} has no cart, and got: {mail['subject']}"
    text = " ".join(mail["text"].split())
    missing = [name for name in shopper.cart[:MOST_ITEMS] if name not in text]
    if missing:
        return f"the cart mail to {who} lacks {', '.join(missing)}"
    return ""


def _first(mail: Mail, shopper: Shopper, elapsed: float) -> str:
    items = "\n".join(f"      - {name}" for name in shopper.cart)
    return (
        f"The first abandoned-cart mail, {elapsed:.0f} s after the start:\n"
        f"      to       {mail['to']}\n      subject  {mail['subject']}\n      items    as in the cart\n{items}"
    )
