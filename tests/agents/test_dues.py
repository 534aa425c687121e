"""When what is armed comes due: one loop over all of it says what is said of each alone."""

import pytest
from msgspec.structs import replace

from agents.scenarios.evaluate import due_at
from agents.scenarios.index import ScenarioIndex
from agents.scenarios.load import parse
from tables.customer import Armed, Customer
from tables.dialog import Dialog
from tests.carts import cart_scenario

T = 1_800_000_000.0
CART = parse(cart_scenario("  - channel: email\n    template: abandoned_cart\n"))
LEFT = replace(CART, id="left", leaving=True)
FORMER = replace(LEFT, version=7, wait=LEFT.wait + 100.0, finish=True)
TALKING = [Dialog("t1", T, client_at=T + 900.0)]


@pytest.mark.parametrize("former", [(), (replace(FORMER, id="gone_file"), FORMER)])
@pytest.mark.parametrize("dialogs", [None, TALKING])
@pytest.mark.parametrize("seen", [T - 50.0, T + 50.0])
@pytest.mark.parametrize("held", [0, int(T) + 1, int(T) + 90_000_000])
def test_all_that_is_armed_is_due_when_each_is_due_alone(former, dialogs, seen, held):
    index = ScenarioIndex([CART, replace(LEFT, finish=True)], former)
    armed = [
        Armed("cart", 1, "e1", T, held),
        Armed("left", 1, "e2", T, held),
        Armed("left", 7, "e3", T, held),
        Armed("gone_file", 7, "e4", T, held),
        Armed("never_was", 1, "e5", T + 3.0, held),
    ]
    customer = Customer(last_seen=seen, armed=armed, dialogs=dialogs)
    found = index.dues(customer)
    assert [instance for _, instance, _ in found] == armed
    for due, instance, scenario in found:
        assert scenario is index.of(instance.scenario, instance.version)
        assert due == (instance.at if scenario is None else due_at(scenario, instance, customer))
        assert type(due) is float
    assert index.wake_of(customer) == min(due for due, _, _ in found)


def test_of_whom_nothing_is_armed_nothing_is_due():
    index = ScenarioIndex([CART])
    assert index.dues(Customer()) == [] and index.wake_of(Customer()) is None
