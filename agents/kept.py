"""What is kept of events beside what the state has anyway, only because something that is loaded asks for it. Pure."""

from collections.abc import Collection
from typing import NamedTuple

from agents.scenarios.language import Scenario
from agents.scenarios.needs import asks_device, asks_wishes, conditions_of, relates, shows_similar
from agents.segments.membership import Memberships, kept
from app.model.event import Event
from tables import bought, recent, seenwith, wishes
from tables.customer import Customer

ORDER = "Order Completed"


class Kept(NamedTuple):
    """`counted` are events of which the times are kept, `events` all of which anything is; `wished`: so it is of wish lists, `bought`: of what was bought.

    `related`: of what is looked at, and bought, together with a product (`agents/relating.py`). `devices`: and of any event what the
    customer was there with.
    """

    counted: frozenset[str]
    events: frozenset[str]
    wished: bool
    bought: bool
    related: bool
    devices: bool

    def note(self, customer: Customer, event: Event, at: float) -> None:
        """Keep what is asked for of an event that was applied, and happened at `at` (epoch seconds). Raises TooLargeError."""
        if event.event in self.counted:
            recent.note(customer, event.event, at)
        if self.wished and event.event in wishes.EVENTS:
            wishes.note(customer, event, at)
        if self.bought and event.event == ORDER:
            bought.note(customer, event)
        if self.devices and event.deviceKind:
            seenwith.note(customer, event, at)


def kept_for(scenarios: Collection[Scenario], members: Memberships) -> Kept:
    """What these scenarios ask for, and the segments."""
    counted = members.kept | kept(condition for scenario in scenarios for condition in conditions_of(scenario))
    wished, similar = asks_wishes(scenarios), shows_similar(scenarios)
    events = counted | (wishes.EVENTS if wished else frozenset()) | ({ORDER} if similar else frozenset())
    return Kept(counted, events, wished, similar, relates(scenarios), members.devices or asks_device(scenarios))
