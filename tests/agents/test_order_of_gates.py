"""The order in which a stage is asked: goal, stopped, consent, suppression, control group, cap, quiet hours, budget, provider limits.

Everything speaks against a message at first; then one thing after the other is put right, and the next one is named.
"""

from agents.allowed import Basis
from agents.due import decide_due
from agents.scenarios.index import ScenarioIndex
from agents.scenarios.load import parse
from app.clock import ManualClock
from app.model.policy import Policy, Quiet, one_per
from app.model.reasons import Reason
from channels.channel import Ambiguous
from channels.channel import Sent as Taken
from channels.circuit import FAILURES
from channels.control import is_member
from channels.ledger import Cancelled, Spent, Standing, address_key, budget_key, cancel_key
from tables.customer import Armed, Cart, CartLine, Customer, Orders, Permission, Profile, Sent
from tests.agents.ledger_table import trigger
from tests.agents.speaking import Mouth, sender
from tests.carts import cart_scenario
from tests.driver import DAY, HOUR

SMS = cart_scenario("  - channel: sms\n    template: abandoned_cart\n", more="reentry: 0s\nquiet: drop\n")
NIGHT = Quiet(21 * 60, 10 * 60)
"""The clock of the tests begins at 22:13 UTC."""
IN_THE_ENGINE = (
    Reason.RECENT_ORDER,
    Reason.SCENARIO_STOPPED,
    Reason.NO_CONSENT,
    Reason.SUPPRESSED,
    Reason.CONTROL_GROUP,
    Reason.CAP,
    Reason.QUIET_HOURS,
    Reason.FIRED,
)


def decided(right):
    """What the engine says of a stage of which the first `right` questions have a good answer."""
    wrong = [number >= right for number in range(len(IN_THE_ENGINE) - 1)]
    ordered, stopped, refused, suppressed, control, capped, quiet = wrong
    text = SMS + ("stopped: true\n" if stopped else "") + ("control: 50\n" if control else "")
    policy = Policy(caps=(one_per(DAY, "sms"),), quiet=NIGHT if quiet else None)
    basis = Basis(ScenarioIndex([parse(text)]), policy, "en")
    now = ManualClock().now()
    left = now - 2 * HOUR
    customer = Customer(
        last_seen=left,
        profile=Profile(phone="+79160000001"),
        consent={"sms": Permission(not refused, left)},
        cart=Cart([CartLine("p1", 1.0, left)], left),
        orders=Orders(1, 10.0, left - HOUR, left - HOUR) if ordered else None,
        armed=[Armed("cart", 1, "e1", left)],
        sends=[Sent("t0", "other", "sms", now - HOUR)] if capped else None,
        suppressed={"sms": "bounced"} if suppressed else None,
    )
    key = next(key for key in map(str, range(100)) if is_member("cart", key, 0.5))
    decision = decide_due(basis, key, customer, now, lambda _category: None, now)
    (line,) = decision.reasons
    assert bool(decision.fired) is (line.reason == Reason.FIRED)
    return line.reason


def test_the_engine_names_the_first_of_seven():
    assert [decided(right) for right in range(len(IN_THE_ENGINE))] == list(IN_THE_ENGINE)


IN_THE_SENDER = (
    Reason.GOAL_REACHED,
    Reason.EXPIRED,
    Reason.UNSUBSCRIBED,
    Reason.CAP,
    Reason.QUIET_HOURS,
    Reason.BUDGET,
    Reason.RETRY,
    Reason.SENT,
)


async def spoken(right):
    """What the sender says of a message of which the first `right` questions have a good answer."""
    goal, late, unsubscribed, capped, quiet, spent, away = (n >= right for n in range(len(IN_THE_SENDER) - 1))
    prices = Policy(quiet=NIGHT if quiet else None, prices={"email": 2.0}, budgets={"abandoned_cart": 10.0})
    async with sender(Mouth(_swallows), policy=prices) as one:
        now, rows = one.clock.now(), one.table.parts[0].rows
        if away:  # the breaker of the provider is open
            free = [trigger(n, email=f"c{n}@shop.example", scenario="free") for n in range(10, 10 + FAILURES)]
            await one.feed(*free)
            await one.until(lambda: one.table.reasons().count(Reason.AMBIGUOUS) == FAILURES)
        one.table.outputs.clear()
        message = trigger(1, quiet="drop", timezone="UTC", cap=DAY, expires_at=now - 1 if late else now + DAY)
        if goal:
            rows[cancel_key(message.trigger_id)] = Cancelled(Reason.GOAL_REACHED, now, now + DAY)
        standing = rows[address_key("email", "anna@shop.example")] = Standing()
        if unsubscribed:
            standing.suppressed, standing.suppressed_at = Reason.UNSUBSCRIBED.value, now - 1
        if capped:
            standing.last_marketing = now - HOUR
        if spent:
            rows[budget_key("abandoned_cart", "2023-11-14")] = Spent(9.0, now + DAY)
        one.channel.answer = _takes
        await one.feed(message)
        await one.until(lambda: one.table.reasons() or one.delivery._lanes["email"].held)
        return one.table.reasons()[0] if one.table.reasons() else Reason.RETRY


async def _swallows(message, irreversible):
    await irreversible()
    return Ambiguous("no answer")


async def _takes(message, irreversible):
    await irreversible()
    return Taken("ok")


async def test_the_sender_names_the_first_of_what_may_have_changed():
    assert [await spoken(right) for right in range(len(IN_THE_SENDER))] == list(IN_THE_SENDER)
