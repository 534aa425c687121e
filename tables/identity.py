"""Two keys that turn out to be one customer: the alias's state joins the owner's, live timers included. Pure.

What ends a scenario wins over what starts one: a cart of the alias that is older than the owner's last order was bought.
"""

from tables import bought, cart, devices, dialog, goals, purchases, recent
from tables.apply import DAY
from tables.customer import (
    CATEGORIES,
    OPEN_TRIGGERS,
    ORDER_IDS,
    REMOVED,
    SEARCHES,
    SEEN,
    SENDS,
    Armed,
    Cart,
    CartLine,
    Customer,
    Orders,
    Permission,
    Profile,
)
from tables.engagement import AUDIENCES, ENTERED, JOURNEYS, TAGS, TRAITS, Engagement, bounded_entered
from tables.profile import outweighs
from tables.views import VIEWS, View, ViewRing
from tables.windows import T


def merge(owner: Customer, alias: Customer) -> tuple[str, ...]:
    """Join `alias` into `owner`. Returns the scenarios of the alias that the join has ended."""
    owner.first_seen = min(filter(None, (owner.first_seen, alias.first_seen)), default=0.0)
    newer = alias.last_seen > owner.last_seen
    if newer:
        owner.last_seen, owner.session_started = alias.last_seen, alias.session_started
    owner.suppressed = _suppressed(owner, alias)
    if _elsewhere(owner.profile, alias.profile):  # what was confirmed there says nothing of the owner's address
        alias.consent = {name: word for name, word in (alias.consent or {}).items() if not word.asked_at} or None
    owner.profile = _profile(owner.profile, alias.profile)
    owner.consent = _consent(owner.consent, alias.consent)
    owner.orders = _orders(owner.orders, alias.orders)
    owner.cart = _cart(owner.cart, alias.cart)
    owner.views = _views(owner.views, alias.views)
    owner.categories = _newest(owner.categories, alias.categories, "category", CATEGORIES)
    owner.searches = _newest(owner.searches, alias.searches, "query", SEARCHES)
    owner.open = _ring(owner.open, alias.open, 2 * OPEN_TRIGGERS)  # bounded by whoever can call back what is too much
    owner.sends = _ring(owner.sends, alias.sends, SENDS)
    owner.fired = {**(alias.fired or {}), **(owner.fired or {})} or None
    for scenario, at in (alias.fired or {}).items():
        if owner.fired is not None:
            owner.fired[scenario] = max(owner.fired[scenario], at)
    owner.cart_known_at = max(owner.cart_known_at, alias.cart_known_at)
    owner.removed = _removed(owner.removed, alias.removed)
    owner.seen = (alias.seen + owner.seen)[-8 * SEEN :]
    owner.engagement = _engagement(owner.engagement, alias.engagement, newer=newer)
    goals.join(owner, alias)
    owner.dialogs = dialog.merge(owner.dialogs, alias.dialogs)
    return _armed(owner, alias)


def depart(customer: Customer, key: str) -> None:
    """The customer leaves the key `key` for another: what the sender and the team have got of him is found there later."""
    dialog.depart(customer.dialogs, key)
    for item in customer.open or ():
        if item.is_with_sender:
            item.home = item.home or key


def _suppressed(owner: Customer, alias: Customer) -> dict[str, str] | None:
    """What of the alias bounced holds where its address becomes the owner's, who has none."""
    has = owner.profile or Profile()
    own = {"email": has.email, "sms": has.phone, "whatsapp": has.phone, **(has.messengers or {})}
    found = {name: why for name, why in (alias.suppressed or {}).items() if not own.get(name)}
    return {**found, **(owner.suppressed or {})} or None


def _armed(owner: Customer, alias: Customer) -> tuple[str, ...]:
    """One instance a scenario: the later anchor. An order after the anchor, on either side, ends it."""
    best: dict[str, Armed] = {}
    for instance in (*(owner.armed or ()), *(alias.armed or ())):
        known = best.get(instance.scenario)
        if known is None or (instance.at, instance.anchor) > (known.at, known.anchor):
            best[instance.scenario] = instance
    ended = []
    orders = owner.orders
    if orders is not None:
        cart.bought(owner, orders.last_at)
        if owner.views is not None:
            owner.views.take_until(orders.last_at)
        ended = [name for name, instance in best.items() if instance.at <= orders.last_at]
    owner.armed = [instance for name, instance in best.items() if name not in ended] or None
    return tuple(ended)


def _profile(owner: Profile | None, alias: Profile | None) -> Profile | None:
    if owner is None or alias is None:
        return owner or alias
    both = Profile(*(getattr(owner, name) or getattr(alias, name) for name in Profile.__struct_fields__))
    both.at = max(owner.at, alias.at)
    both.devices = devices.joined(owner.devices, alias.devices)
    asked = {**(alias.asked or {}), **(owner.asked or {})}
    both.asked = {name: item for name, item in asked.items() if item.address == both.email.lower()} or None
    both.messengers = {**(alias.messengers or {}), **(owner.messengers or {})} or None
    return both


def _elsewhere(owner: Profile | None, alias: Profile | None) -> bool:
    """Whether the two have different addresses for mail."""
    return bool(owner and alias and owner.email and alias.email and owner.email.lower() != alias.email.lower())


def _removed(owner: dict[str, float] | None, alias: dict[str, float] | None) -> dict[str, float] | None:
    gone = dict(owner or {})
    for product_id, at in (alias or {}).items():
        gone[product_id] = max(at, gone.get(product_id, 0.0))
    return dict(sorted(gone.items(), key=lambda item: item[1])[-REMOVED:]) or None


def _consent(owner: dict[str, Permission] | None, alias: dict[str, Permission] | None) -> dict[str, Permission] | None:
    """Of two words about a channel, the one that outweighs the other."""
    out = dict(owner or {})
    for channel, consent in (alias or {}).items():
        if consent.source in (devices.ALLOWED, devices.WITHDRAWN) and channel in out:
            continue  # a page can claim to be anybody: what the user said stands
        known = out.get(channel)
        if known is None or outweighs(consent, known):
            out[channel] = consent
    return out or None


def _orders(owner: Orders | None, alias: Orders | None) -> Orders | None:
    if owner is None or alias is None:
        return owner or alias
    return Orders(
        owner.count + alias.count,
        owner.total + alias.total,
        min(owner.first_at, alias.first_at),
        max(owner.last_at, alias.last_at),
        list(dict.fromkeys([*alias.ids, *owner.ids]))[-ORDER_IDS:],
        max(1, owner.days) + max(1, alias.days) - len(_days(owner) & _days(alias)),
        sum(orders.first_day for orders in (owner, alias) if min(_days(orders)) == min(_days(owner) | _days(alias))),
        owner.discounted + alias.discounted,
    )


def _days(orders: Orders) -> set[float]:
    """The first and the last day with an order."""
    return {orders.first_at // DAY, orders.last_at // DAY}


def _engagement(owner: Engagement | None, alias: Engagement | None, *, newer: bool) -> Engagement | None:
    """Memberships are worked out anew for whom the two are together; both keep what they were in until then. `newer`: the alias was seen later."""
    if owner is None or alias is None:
        return owner or alias
    both = dict(owner.segments or {})
    for name, since in (alias.segments or {}).items():
        both[name] = min(since, both.get(name, since))
    owner.segments = both or None
    owner.segments_of = 0
    owner.segments_known = max(owner.segments_known, alias.segments_known)
    owner.happened = recent.joined(owner.happened, alias.happened)
    owner.journeys = _ring(owner.journeys, alias.journeys, 2 * JOURNEYS)  # bounded by whoever knows their scenarios
    owner.entered = bounded_entered(_last(owner.entered, alias.entered, 2 * ENTERED) or {}) or None
    owner.tags = _first(owner.tags, alias.tags, TAGS)
    owner.audiences = _first(owner.audiences, alias.audiences, AUDIENCES)
    owner.traits_at = max(owner.traits_at, alias.traits_at)
    owner.dated = _last(owner.dated, alias.dated, ENTERED)
    owner.seen_with = (alias.seen_with if newer else None) or owner.seen_with or alias.seen_with
    owner.wishes = _views(owner.wishes, alias.wishes)
    owner.had = bought.joined(owner.had, alias.had)
    owner.traits = dict([*{**(alias.traits or {}), **(owner.traits or {})}.items()][-TRAITS:]) or None
    owner.bought = purchases.joined(owner.bought, alias.bought)
    return owner


def _last(owner: dict[str, float] | None, alias: dict[str, float] | None, most: int) -> dict[str, float] | None:
    """The later time of each name; of too many names those that are longest ago go."""
    both = {**(alias or {}), **(owner or {})}
    for name, at in (alias or {}).items():
        both[name] = max(at, both[name])
    return dict(sorted(both.items(), key=lambda item: (item[1], item[0]))[-most:]) or None


def _first(owner: dict[str, float] | None, alias: dict[str, float] | None, most: int) -> dict[str, float] | None:
    """The earlier time of each name; of too many names those that are longest ago go."""
    both = {**(alias or {}), **(owner or {})}
    for name, at in (alias or {}).items():
        both[name] = min(at, both[name])
    return dict(sorted(both.items(), key=lambda item: (item[1], item[0]))[-most:]) or None


def _cart(owner: Cart | None, alias: Cart | None) -> Cart | None:
    """Lines of both; of one product the larger quantity, since shops copy a visitor's cart into the user's."""
    if owner is None or alias is None:
        return owner or alias
    lines: dict[str, CartLine] = {}
    for line in sorted((*owner.lines, *alias.lines), key=lambda line: line.at):
        known = lines.get(line.product_id)
        if known is not None:
            line.quantity = max(line.quantity, known.quantity)
        lines[line.product_id] = line
    both = Cart(list(lines.values()), max(owner.changed_at, alias.changed_at), owner.currency or alias.currency)
    cart.bound(both)
    return both


def _views(owner: ViewRing | None, alias: ViewRing | None) -> ViewRing | None:
    if owner is None or alias is None:
        return owner or alias
    newest: dict[str, View] = {}
    for view in sorted((*alias, *owner), key=lambda view: view.at):
        newest.pop(view.product.product_id, None)
        newest[view.product.product_id] = view
    return ViewRing.of([*newest.values()][-VIEWS:])


def _ring(owner: list[T] | None, alias: list[T] | None, size: int) -> list[T] | None:
    return sorted((*(alias or ()), *(owner or ())), key=lambda item: item.at)[-size:] or None


def _newest(owner: list[T] | None, alias: list[T] | None, name: str, size: int) -> list[T] | None:
    """A ring in which each value of `name` stands once, with its newest item."""
    newest: dict[str, T] = {}
    for item in _ring(owner, alias, 10_000) or ():
        newest.pop(getattr(item, name), None)
        newest[getattr(item, name)] = item
    return list(newest.values())[-size:] or None
