"""What must hold whatever happened: nothing lost, nothing twice, nobody accused, every row as the oracle has it."""

from collections import Counter

from app.topics import CLICKSTREAM, CUSTOMERS_CHANGELOG, LEDGER_CHANGELOG
from channels.ledger import Message, State
from channels.ledger import Row as LedgerRow
from tables.customer import Customer, Pointer, Row
from tests.chaos.log import read, rows
from tests.chaos.oracle import Oracle
from tests.servers import eventually


async def check(ground, people, *, kills_of_sender=0, until, elsewhere=()):
    """Everything about `people`, whose deadlines up to `until` have fired. Returns what was counted, for the summary.

    `elsewhere`: ids of triggers that another channel than e-mail has spoken of.
    """
    follower, fates = ground.follower, {one.name: one.fate for one in people if one.fate}
    _triggers(follower.triggers, fates)
    counted = _messages(ground, {item.trigger_id for item in follower.triggers}, kills_of_sender, elsewhere)
    await _ledger(ground, counted)
    counted |= await _states(ground, until)
    return {"customers": len(people), "events": ground.shop.count, "triggers": len(fates), **counted}


def _triggers(triggers, fates):
    ids = Counter(item.trigger_id for item in triggers)
    assert {name: times for name, times in ids.items() if times > 1} == {}, "decided twice"
    found = {
        item.customer: (item.scenario, item.anchor, tuple(sorted(p.product_id for p in item.content.items)))
        for item in triggers
    }
    assert sorted(set(fates) - set(found))[:20] == [], "lost triggers"
    assert sorted(set(found) - set(fates))[:20] == [], "false triggers"
    assert {name: (found[name], fate) for name, fate in fates.items() if found[name] != tuple(fate)} == {}
    assert len(triggers) == len(fates)


def _messages(ground, ids, kills_of_sender, elsewhere):
    """Each trigger ended in exactly one way, and the relay's book says the same."""
    taken, ends = ground.sink.taken + Counter(elsewhere), {}
    for receipt in ground.follower.ends:
        assert ends.setdefault(receipt.trigger_id, receipt.outcome) == receipt.outcome, f"ended twice: {receipt}"
    assert sorted(ids - set(ends))[:20] == [], "messages without an end"
    assert {name: times for name, times in taken.items() if times > 1} == {}, "sent twice"
    assert set(taken) <= ids, "mails that nobody has decided"
    for name, outcome in ends.items():
        if outcome == "sent":
            assert taken[name] == 1, f"{name} is said to be sent"
        elif outcome != "ambiguous":
            assert taken[name] == 0, f"{name} was sent and is said to be {outcome}"
    outcomes = Counter(outcome.value for outcome in ends.values())
    assert set(outcomes) <= {"sent", "ambiguous"}, f"held back without a reason: {outcomes}"
    most = kills_of_sender * ground.settings.smtp_connections
    doubtful = {name for name, outcome in ends.items() if outcome == "ambiguous" and not taken[name]}
    assert len(doubtful) <= most, f"{len(doubtful)} may be lost after {kills_of_sender} kills of the sender"
    # of those that have arrived one kill may leave more (docs/adr/0003-the-ledger-is-a-fenced-table.md), but many do not on average
    assert outcomes["ambiguous"] <= most, (
        f"{outcomes['ambiguous']} ambiguous after {kills_of_sender} kills of the sender"
    )
    return {
        "sent": outcomes["sent"],
        "ambiguous": outcomes["ambiguous"],
        "of_which_not_taken": len(doubtful),
        "ambiguous_at_most": most,
        "mails": taken.total(),
    }


async def _ledger(ground, counted):
    """The sender's own book, from its changelog."""
    found = await rows(ground.settings, LEDGER_CHANGELOG, LedgerRow)
    states = Counter(row.state for row in found.values() if isinstance(row, Message))
    assert states == Counter({State.SENT: counted["sent"], State.AMBIGUOUS: counted["ambiguous"]})


async def _states(ground, until):
    """Every row of the changelog is the oracle's, once the worker has read the last receipt."""
    oracle = Oracle(ground.settings)
    triggers = ground.follower.triggers
    oracle.run(await read(ground.settings, CLICKSTREAM), triggers, ground.follower.ends, until)
    assert set(oracle.triggers) == {item.trigger_id for item in triggers}
    wanted = oracle.rows()

    async def differences():
        found = await rows(ground.settings, CUSTOMERS_CHANGELOG, Row)
        return [
            (key, found.get(key), wanted.get(key)) for key in {*found, *wanted} if found.get(key) != wanted.get(key)
        ]

    async def none():
        return not await differences()

    try:
        await eventually(none, 60)
    except AssertionError:
        wrong = await differences()
        raise AssertionError(
            f"{len(wrong)} of {len(wanted)} rows differ from the oracle's, such as {wrong[:2]}"
        ) from None
    kinds = Counter(type(row) for row in wanted.values())
    return {"rows_compared": len(wanted), "customer_rows": kinds[Customer], "pointers": kinds[Pointer]}
