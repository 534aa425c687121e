"""Intervals of shares and means: against published examples, and against slow ways to the same."""

import math
import random
from statistics import NormalDist, variance

import pytest

from agents.worth.intervals import Sample, newcombe, welch, wilson
from agents.worth.uplift import FEWEST, Reached, Verdict, of_goals, of_money

NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]
"""Newcombe 1998, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17, table II, method 10."""


@pytest.mark.parametrize(("some", "size", "others", "of", "low", "high"), NEWCOMBE)
def test_the_difference_of_two_shares_is_that_of_the_published_table(some, size, others, of, low, high):
    found = newcombe(wilson(some, size), wilson(others, of))
    assert found.value == pytest.approx(some / size - others / of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.00006)


def by_halving(some, size, level, side):
    """A limit of the score interval by its definition: the share at which what was seen lies just at the edge of chance."""
    z, seen = NormalDist().inv_cdf(0.5 + level / 2), some / size
    inside, outside = seen, float(side > 0)
    for _ in range(200):
        middle = (inside + outside) / 2
        if abs(seen - middle) <= z * math.sqrt(middle * (1 - middle) / size):
            inside = middle
        else:
            outside = middle
    return inside


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("some", "size"), [(0, 9), (1, 9), (5, 10), (81, 263), (15, 148), (10, 10), (3, 100_000)])
def test_the_interval_of_a_share_is_the_one_that_its_definition_gives(some, size, level):
    found = wilson(some, size, level)
    assert found.low == pytest.approx(by_halving(some, size, level, -1), abs=1e-9)
    assert found.high == pytest.approx(by_halving(some, size, level, 1), abs=1e-9)


def test_of_no_customers_nothing_is_known():
    assert wilson(0, 0) == (0.0, 0.0, 1.0)


def sample(values):
    return Sample(len(values), sum(values), sum(value**2 for value in values))


def test_the_difference_of_two_means_is_the_one_that_the_values_themselves_give():
    dice = random.Random(7)
    first = [dice.choice([0.0, 0.0, 0.0, dice.expovariate(0.01)]) for _ in range(400)]
    second = [dice.choice([0.0, 0.0, 0.0, 0.0, dice.expovariate(0.01)]) for _ in range(130)]
    found = welch(sample(first), sample(second))
    error = math.sqrt(variance(first) / 400 + variance(second) / 130)
    assert found.value == pytest.approx(sum(first) / 400 - sum(second) / 130)
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=1e-6)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says():
    dice, held = random.Random(11), 0
    for _ in range(400):
        bought = [sum(dice.random() < share for _ in range(120)) for share in (0.12, 0.05)]
        found = newcombe(wilson(bought[0], 120), wilson(bought[1], 120))
        held += found.low <= 0.07 <= found.high
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize(
    ("recipients", "control", "verdict"),
    [
        (Reached(1_000, 90), Reached(0, 0), Verdict.NO_CONTROL),
        (Reached(1_000, 90), Reached(FEWEST - 1, 1), Verdict.TOO_FEW),
        (Reached(FEWEST - 1, 40), Reached(1_000, 1), Verdict.TOO_FEW),
        (Reached(1_000, 90), Reached(100, 8), Verdict.NOT_SURE),
        (Reached(10_000, 900), Reached(1_000, 50), Verdict.MORE),
        (Reached(10_000, 500), Reached(1_000, 90), Verdict.LESS),
    ],
)
def test_what_a_difference_means_is_said_only_where_it_is_sure(recipients, control, verdict):
    assert of_goals(recipients, control).verdict is verdict


def test_goals_of_customers_whose_beginning_was_not_seen_make_no_share_above_one():
    assert of_goals(Reached(60, 61), Reached(60, 60)).verdict is Verdict.NOT_SURE


def test_money_is_judged_likewise():
    few, many = Sample(10, 50.0, 300.0), Sample(1_000, 9_000.0, 100_000.0)
    assert of_money(many, Sample(0, 0.0, 0.0)).verdict is Verdict.NO_CONTROL
    assert of_money(many, few).verdict is Verdict.TOO_FEW
    assert of_money(many, Sample(500, 1_000.0, 10_000.0)).verdict is Verdict.MORE
    assert of_money(many, Sample(500, 4_500.0, 50_000.0)).verdict is Verdict.NOT_SURE
