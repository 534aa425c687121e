"""Journeys that begin on a change of the catalogue: what was looked at, wished for, or lies in the cart, costs less or is back. Pure."""

from collections.abc import Iterator
from math import inf

from agents.allowed import Basis
from agents.decision import Decision
from agents.journeys.enter import enter
from agents.journeys.moment import Moment
from agents.scenarios.evaluate import of_cart, of_view, stops
from agents.scenarios.language import Scenario
from agents.scenarios.program import PRODUCT, OnChange
from app.model.catalogue import ChangeKind, fall, is_news
from app.model.event import Line, Properties
from tables.customer import Changed, Customer, Sweep
from tables.engagement import ABOUT_LINES


def decide_change(basis: Basis, decision: Decision, key: str, sweep: Sweep, now: float) -> None:
    """Begin the journeys of customer `key` that the changes of a sweep begin, as of `now` (epoch seconds)."""
    for scenario, change in basis.scenarios.changing:
        found = touched(change, decision.customer, sweep, now)
        if not found:
            continue
        if scenario.program is not None and scenario.program.per == PRODUCT:
            for one, line in found:
                _begin(basis, decision, key, sweep, now, scenario, f"{sweep.id}:{one.product_id}", [(one, line)])
        else:
            _begin(basis, decision, key, sweep, now, scenario, sweep.id, found)


def _begin(
    basis: Basis,
    decision: Decision,
    key: str,
    sweep: Sweep,
    now: float,
    scenario: Scenario,
    anchor: str,
    found: list[tuple[Changed, Line]],
) -> None:
    first, line = found[0]
    told = Properties(
        line.product_id, line.name, line.price, None, line.category, url=line.url, image_url=line.image_url
    )
    told.currency, told.products = first.currency, [one for _, one in found]
    moment = Moment(basis, decision, key, now, now, anchor, told)
    held = stops(scenario, decision.customer, sweep.at, now)
    if held is not None:
        moment.tell(held.reason, scenario.id, held.detail, due=sweep.at)
    else:
        enter(moment, scenario)


def touched(change: OnChange, customer: Customer, sweep: Sweep, now: float) -> list[tuple[Changed, Line]]:
    """The changes that the customer is told of, the largest fall first, with the product as he knows it at its new price."""
    wanted = {one.product_id: one for one in sweep.changes if _is_told(change, one)}
    if not wanted:
        return []
    known = {line.product_id: line for line in _known(change, customer, now, sweep.at) if line.product_id in wanted}
    found = [(wanted[product_id], line) for product_id, line in known.items()]
    for one, line in found:
        line.price = one.price
        line.old_price = one.old_price if one.kind == ChangeKind.PRICE_DROP else 0.0
    found.sort(key=lambda pair: (-fall(pair[0].price, pair[0].old_price), pair[0].product_id))
    return found[:ABOUT_LINES]


def _is_told(change: OnChange, one: Changed) -> bool:
    return one.kind == change.kind and is_news(one.kind, one.price, one.old_price, change.least)


def _known(change: OnChange, customer: Customer, now: float, since: float) -> Iterator[Line]:
    """Products that tie the customer to the catalogue. What he bought since he looked at it, or put into the cart, was taken."""
    behind = customer.views.left_behind(now - change.within) if customer.views is not None else []
    as_it_is = {view.product.product_id for view in behind if view.at > since}
    if "viewed" in change.of:
        yield from (of_view(view) for view in behind if view.product.product_id not in as_it_is)
    wishes = customer.engagement.wishes if customer.engagement is not None else None
    if "wished" in change.of and wishes is not None:
        standing = (wish for wish in wishes.left_behind(-inf) if wish.at <= since)
        yield from (of_view(wish) for wish in standing if wish.product.product_id not in as_it_is)
    if "cart" in change.of and customer.cart is not None:
        yield from map(of_cart, customer.cart.lines)
