"""Where a customer lives, as far as clocks are concerned. Pure."""

from zoneinfo import ZoneInfo

from app.model.policy import Policy
from channels.quiet import zone
from tables.customer import Customer

_UTC = ZoneInfo("UTC")


def zone_of(customer: Customer, policy: Policy) -> ZoneInfo:
    """The customer's zone: what he, or the shop for him, has set; his device's; his city's; the shop's."""
    profile = customer.profile
    if profile is not None:
        city = city_zone(policy, profile.city) if profile.city else ""
        for name in (profile.timezone, profile.device_timezone, city):
            if name and (found := zone(name)) is not None:
                return found
    return zone(policy.zone) or _UTC


def shop_zone(policy: Policy) -> ZoneInfo:
    """The zone of the shop's own clock."""
    return zone(policy.zone) or _UTC


def city_zone(policy: Policy, city: str) -> str:
    """The zone of a city, as the policy knows it; empty: it does not."""
    return policy.cities.get(city.strip().lower(), "")
