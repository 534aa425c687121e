"""Other keys of a customer who says who he is: their partitions are asked for their state. Pure."""

from agents.decision import Decision
from app.model.event import ANONYMOUS, EMAIL, PHONE, Event, is_e164
from app.model.link import Claim
from tables.customer import ALIASES, Profile


def claim(decision: Decision, key: str, event: Event, at: float, before: Profile | None) -> None:
    """Ask the partitions of other keys of this customer to move their state here. Only users own keys."""
    if not event.userId or key != event.userId:
        return
    customer, now = decision.customer, decision.customer.profile
    for name in dict.fromkeys((event.anonymousId, event.previousId)):
        alias = f"{ANONYMOUS}{name}"
        if name and alias not in (customer.aliases or ()):
            customer.aliases = [*(customer.aliases or ()), alias][-ALIASES:]
            decision.claims.append(Claim(alias, key, at, event.messageId))
    if now is not None and now.email and (before is None or before.email != now.email):
        decision.claims.append(Claim(EMAIL + now.email.lower(), key, at, event.messageId))
    if now is not None and is_e164(now.phone) and (before is None or before.phone != now.phone):
        decision.claims.append(Claim(PHONE + now.phone, key, at, event.messageId))
