"""Double opt-in over any history: mails go out only with a consent that the owner of the present address has confirmed, and not taken back since."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.receipt import Outcome
from app.model.trigger import CONFIRMATION
from tests.agents.test_optin import asked, consent_of, shop, unsubscribes
from tests.driver import DAY, HOUR

ADDRESSES = ("ann@shop.example", "Ann@Shop.example", "eve@shop.example")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("consent"), st.sampled_from(["", "footer", "nightly"])),
        st.tuples(st.just("refuse"), st.none()),
        st.tuples(st.just("unsubscribe"), st.none()),
        st.tuples(st.just("address"), st.sampled_from(ADDRESSES)),
        st.tuples(st.just("press"), st.integers(1, 3)),
        st.tuples(st.just("cart"), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([60.0, 2 * HOUR, 3 * DAY, 31 * DAY])),
    ),
    max_size=25,
)


class Model:
    """What may be said, worked out from the history alone: mails that still count, and whether one of them was answered."""

    def __init__(self):
        self.address, self.granted, self.void = "", False, set()

    def ended(self, engine):
        self.granted = False
        self.void |= {mail.trigger_id for mail in asked(engine)}

    def step(self, engine, name, what):
        if name in ("refuse", "unsubscribe"):
            self.ended(engine)
        elif name == "address" and what.lower() != self.address:
            self.ended(engine)
            self.address = what.lower()

    def pressed(self, engine, mail):
        late = engine.clock.now() > mail.confirm_until
        if mail.trigger_id not in self.void and not late:
            self.granted = True
        self.void.add(mail.trigger_id)


def play(engine, model, name, what):
    """One step of a history. The model is told before, since what a step asks for is asked after it."""
    model.step(engine, name, what)
    if name == "consent":
        engine.identify(consent=True, consent_source=what)
    elif name == "refuse":
        engine.identify(consent=False)
    elif name == "unsubscribe":
        unsubscribes(engine)
    elif name == "address":
        engine.identify(email=what)
    elif name == "cart":
        engine.add(f"p{len(engine.triggers)}")
    elif name == "wait":
        engine.wait(what)
    elif what <= len(mails := asked(engine)):  # mostly the last one
        model.pressed(engine, mails[-what])
        engine.receipt(mails[-what], Outcome.CONFIRMED)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_nothing_is_said_without_a_confirmation_of_the_present_address(steps):
    engine, model = shop(), Model()
    engine.identify(name="Ann")
    steps = [("address", ADDRESSES[0]), ("consent", ""), *steps]
    for name, what in steps:
        before, allowed = len(engine.triggers), model.granted
        play(engine, model, name, what)
        engine.wait(1.0)  # two words of the same moment have an order of their own
        word = consent_of(engine)
        assert (word is not None and word.granted) is model.granted, (name, what)
        for trigger in engine.triggers[before:]:
            assert trigger.scenario == CONFIRMATION or allowed
    mails = asked(engine)
    for address in {mail.addresses["email"].lower() for mail in mails}:
        told = [mail for mail in mails if mail.addresses["email"].lower() == address]
        assert len({mail.trigger_id for mail in told}) == len(told)
