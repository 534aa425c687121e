"""Days off of a country as plain dates: the one reader of the `holidays` package."""

from collections.abc import Iterable
from datetime import date


def days_off(country: str, years: Iterable[int]) -> set[date]:
    """The public holidays of a country (`RU`) or of a part of it (`DE-BY`). Raises LookupError that says what to write."""
    from holidays import country_holidays  # a third of a second, and only where a team names its country

    code, _, part = country.partition("-")
    try:
        return set(country_holidays(code, subdiv=part or None, years=list(years)))
    except NotImplementedError:
        raise LookupError(
            f"no days off are known for {country!r}; write a country's two letters, with its part such as DE-BY"
        ) from None
