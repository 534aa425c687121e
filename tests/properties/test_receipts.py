"""Receipts in the engine: any order, any repetition, and what a cascade makes of them."""

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.reasons import Reason
from app.model.receipt import Outcome
from tests.agents.test_cascade import CART, channels, fired
from tests.driver import DAY, HOUR, MINUTE

TOLD = [
    Outcome.DELIVERED, Outcome.OPENED, Outcome.CLICKED, Outcome.REPLIED,
    Outcome.FAILED, Outcome.BOUNCED, Outcome.COMPLAINED, Outcome.UNSUBSCRIBED,
]  # fmt: skip
REACTIONS = {Outcome.CLICKED, Outcome.REPLIED}
"""What the first stage waits for, and what is more than it."""
REFUSALS = {Outcome.COMPLAINED, Outcome.UNSUBSCRIBED}


def packed(engine):
    return msgspec.msgpack.encode(engine.customer())


def tell(engine, outcomes):
    for outcome in outcomes:
        engine.receipt(engine.triggers[0], outcome, reason=Reason.RECEIPT)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([Outcome.DELIVERED, Outcome.OPENED, Outcome.CLICKED, Outcome.REPLIED]), min_size=1, max_size=8
    )
)
def test_a_reaction_ends_the_cascade_in_whatever_order_it_is_told(outcomes):
    engine = fired()
    engine.wait(10 * MINUTE)
    tell(engine, outcomes)
    engine.wait(10 * DAY)
    expected = ["email"] if REACTIONS & set(outcomes) else ["email", "whatsapp"]
    assert channels(engine)[:2] == expected
    assert engine.reasons("cart").count(Reason.REACTED) <= 1


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(TOLD), min_size=1, max_size=6), st.data())
def test_what_is_known_of_the_customer_does_not_depend_on_the_order(outcomes, data):
    def told(sequence):
        engine = fired()
        tell(engine, sequence)
        customer = engine.customer()
        consent = {name: (word.granted, word.source) for name, word in customer.consent.items()}
        return consent, Counter((sent.channel, sent.stage) for sent in customer.sends), bool(customer.suppressed)

    once, again = told(outcomes), told(data.draw(st.permutations(outcomes + outcomes[:2])))
    assert once[1:] == again[1:]
    assert once[1] == {("email", 0): 1}, "a message counts once for the caps"
    assert {name: granted for name, (granted, _) in once[0].items()} == {
        name: granted for name, (granted, _) in again[0].items()
    }
    assert once[0]["email"][0] is not bool(REFUSALS & set(outcomes))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(TOLD), min_size=1, max_size=6))
def test_the_same_again_changes_nothing_but_the_journal(outcomes):
    engine = fired(text=CART)
    tell(engine, outcomes)
    before, sent = packed(engine), list(engine.triggers)
    tell(engine, outcomes)
    assert packed(engine) == before
    assert engine.triggers == sent
    engine.wait(HOUR)
