"""What the messages of a journey are about: what began it, or what its file says to show. Pure."""

from msgspec.structs import replace

from agents.scenarios.evaluate import ShelfOf, content
from agents.scenarios.language import BEGUN, Scenario
from agents.similar import complete
from app.model.event import Properties
from app.model.trigger import Content
from tables.customer import Customer, Open
from tables.engagement import ABOUT_LINES, About, Journey


def about(told: Properties | None) -> About | None:
    """What is kept of the event that begins a journey."""
    if told is None:
        return None
    lines = (told.products or [])[:ABOUT_LINES]
    if not lines and told.product_id:
        lines = [told.line()]
    found = About(lines or None, told.category, told.query, told.total, told.currency, told.order_id)
    return None if found == About() else found


def key_of(per: str, told: Properties | None) -> str:
    """The value by which journeys of one scenario are kept apart; empty: they are not."""
    if told is None or not per:
        return ""
    named = {
        "product": told.product_id,
        "category": told.category,
        "order": told.order_id,
        "query": told.query,
    }
    return named[per][:200]


def shown(said: Scenario, customer: Customer, journey: Journey | None, now: float, shelf: ShelfOf) -> Content | None:
    """What a message shows as of `now`; None when nothing is left of what it is to show."""
    begun = said.show is None or said.show.items == BEGUN
    out = Content() if begun else content(said, customer, now, shelf)
    if out is None:
        return None
    if begun:
        _begun_with(out, journey.about if journey is not None else None)
        if customer.profile is not None:
            out.name = customer.profile.first_name or customer.profile.name
        if said.show is not None:
            out.items = out.items[: said.show.most]
            complete(said.show, customer, out, now, shelf)
    engagement = customer.engagement
    if engagement is not None:
        out.traits = dict(engagement.traits or {})
        out.tags = list(engagement.tags or ())
    return out


def _begun_with(out: Content, told: About | None) -> None:
    if told is None:
        return
    # what is shown may get other prices; what is known keeps its own
    out.items = [replace(line) for line in told.lines or ()]
    out.category, out.query, out.value = told.category, told.query, told.value
    out.currency, out.order_id = told.currency, told.order_id


def said_by(said: Scenario, customer: Customer, item: Open, now: float, shelf: ShelfOf) -> Content | None:
    """What a later stage of an open trigger shows as of `now`, of a journey or not; None when nothing is left of it."""
    if not item.step:
        return content(said, customer, now, shelf)
    engagement = customer.engagement
    journeys = (engagement.journeys if engagement is not None else None) or ()
    return shown(said, customer, next((one for one in journeys if item.is_of(one)), None), now, shelf)
