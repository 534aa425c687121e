import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.reasons import Reason
from app.model.trigger import Stage
from channels import retry
from channels.ledger import Cancelled, Standing
from channels.policy import GATES, Facts, refusal, way_of
from tests.agents.ledger_table import trigger

NOW = 1_700_000_000.0


@given(st.text(max_size=40), st.integers(0, 100))
def test_a_wait_is_the_same_every_time_and_bounded(identity, attempt):
    wait = retry.wait(identity, attempt)
    assert wait == retry.wait(identity, attempt)
    assert 0 <= wait <= min(retry.LONGEST, retry.BASE * 2**attempt)


def test_waits_of_many_messages_are_spread_over_the_whole_range():
    waits = sorted(retry.wait(f"{n}.0", 3) for n in range(1000))
    assert waits[0] < 2 and waits[-1] > 78 and 35 < waits[500] < 45


@given(st.text(max_size=40), st.integers(0, 20), st.floats(0, 1e6))
def test_what_the_provider_asked_for_is_obeyed(identity, attempt, after):
    wait = retry.wait(identity, attempt, after)
    assert min(after, retry.OBEYED) <= wait <= min(after, retry.OBEYED) + retry.BASE


def test_attempts_end_by_number_or_by_expiry():
    assert not retry.exhausted(0, NOW, NOW + 1)
    assert retry.exhausted(retry.ATTEMPTS - 1, NOW, NOW + 1)
    assert retry.exhausted(0, NOW + 2, NOW + 1)


def facts(now=NOW, cancelled=None, standing=None, **changes):
    return Facts(trigger(**changes), "email", now, cancelled, standing)


CANCELLED = Cancelled(Reason.GOAL_REACHED, NOW, NOW)
SUPPRESSED = Standing(suppressed=Reason.SUPPRESSED, suppressed_at=NOW, everything=True, last_marketing=NOW)
RECENT = Standing(last_marketing=NOW - 60)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (facts(), None),
        (facts(cancelled=CANCELLED), Reason.GOAL_REACHED),
        (facts(now=NOW + 7 * 3600), Reason.EXPIRED),
        (facts(standing=SUPPRESSED), Reason.SUPPRESSED),
        (facts(standing=SUPPRESSED, marketing=False), Reason.SUPPRESSED),
        (facts(standing=RECENT), Reason.CAP),
        (facts(standing=RECENT, cap=60.0), None),
        (facts(standing=RECENT, cap=61.0), Reason.CAP),
        (facts(standing=RECENT, cap=0.0), None),
        (facts(standing=RECENT, marketing=False), None),
        # the first reason in the order of the gates counts
        (facts(now=NOW + 7 * 3600, cancelled=CANCELLED, standing=SUPPRESSED), Reason.GOAL_REACHED),
        (facts(now=NOW + 7 * 3600, standing=SUPPRESSED), Reason.EXPIRED),
        (facts(standing=SUPPRESSED, cap=3600.0), Reason.SUPPRESSED),
    ],
)
def test_each_gate_has_its_reason(facts, reason):
    assert refusal(facts) == reason


def test_the_gates_stand_in_order():
    assert [gate.__name__ for gate in GATES] == [
        "cancelled",
        "superseded",
        "expired",
        "suppressed",
        "capped",
        "asked_before",
    ]


def test_an_older_message_after_a_newer_one_is_capped_too():
    assert refusal(facts(standing=Standing(last_marketing=NOW + 7200))) == Reason.CAP


@pytest.mark.parametrize(
    ("cascade", "addresses", "chosen"),
    [
        ([Stage("email", "t")], {"email": "a@b.co"}, Stage("email", "t")),
        ([Stage("sms", "s"), Stage("email", "t")], {"email": "a@b.co", "sms": "1"}, Stage("email", "t")),
        ([Stage("email", "t")], {}, Reason.NO_ADDRESS),
        ([Stage("sms", "t")], {"sms": "1"}, Reason.CHANNEL_DISABLED),
        ([], {}, Reason.CHANNEL_DISABLED),
    ],
)
def test_the_first_way_that_can_be_spoken_is_taken(cascade, addresses, chosen):
    assert (
        way_of(trigger(addresses=addresses, cascade=cascade) if cascade else trigger_without_stages(), {"email"})
        == chosen
    )


def trigger_without_stages():
    import msgspec

    return msgspec.structs.replace(trigger(), cascade=[])
