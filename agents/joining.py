"""Two keys turn out to be one customer: what that ends, and what is called back. Pure."""

from agents.allowed import Basis
from agents.cascade import bound
from agents.decision import Decision
from agents.ending import bought, cancel, refused
from agents.journeys import replenish
from agents.journeys.enter import entered_of, joined
from agents.journeys.moment import Moment
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables import identity
from tables.cart import caught_up
from tables.customer import CART_LINES, OPEN_TRIGGERS, Customer


def join(basis: Basis, key: str, customer: Customer, alias: str, state: Customer, at: float) -> Decision:
    """Join the state of `alias` into `customer`, whose key is `key`, at `at` (epoch seconds). Segments are worked out by whoever asks."""
    decision = Decision(customer)
    lines = {line.product_id for cart in (customer.cart, state.cart) if cart is not None for line in cart.lines}
    entered = (entered_of(customer), entered_of(state))
    caught_up(state, customer, at)
    ended = identity.merge(customer, state)
    decision.reasons = [JournalLine(at, key, Reason.LINKED, detail={"alias": alias, "owner": key})]
    if len(lines) > CART_LINES:
        decision.reasons.append(JournalLine(at, key, Reason.STATE_BOUNDED, detail={"alias": alias}))
    decision.reasons += [JournalLine(at, key, Reason.ENDED_BY_MERGE, name, detail={"alias": alias}) for name in ended]
    if len(customer.open or ()) > OPEN_TRIGGERS:
        bound(decision, key, at)
    orders = customer.orders
    if orders is not None:
        cancel(decision, key, bought(basis, customer, orders.last_at), Reason.GOAL_REACHED, "", at)
    cancel(decision, key, refused(basis, customer), Reason.CONSENT_WITHDRAWN, "", at)
    if customer.engagement is not None and customer.engagement.journeys is not None:
        joined(Moment(basis, decision, key, at, at), entered)
        replenish.on_merge(Moment(basis, decision, key, at, at))
    return decision
