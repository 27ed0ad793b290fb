"""The public holidays of a country, as the library `holidays` knows them; the only module that imports it.

They are worked out for the same years whatever the day is, so that what a file means changes when
the file or the library does, and not with the calendar on the wall.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from taskcfg.source.findings import did_you_mean
from taskcfg.spec.shown import shown

FIRST_YEAR, LAST_YEAR = 2000, 2099
MOST_LISTED = 20
"""So many subdivisions at most are listed."""

_CODE = re.compile("[A-Z]{2,3}", re.ASCII)


class UnknownHolidays(ValueError):
    """The library knows no such country or subdivision: `field` says which, `hint` what to write."""

    def __init__(self, field: str, message: str, hint: str | None) -> None:
        super().__init__(message)
        self.field = field
        self.hint = hint


@dataclass(frozen=True, slots=True)
class HolidayDates:
    """Every holiday from FIRST_YEAR to `last_year`, which is LAST_YEAR where the library knows so much."""

    dates: frozenset[date]
    last_year: int


@cache
def holiday_dates(country: str, subdivision: str | None) -> HolidayDates:
    """Return the holidays of *country*, an ISO 3166 code, and of its *subdivision*, also those observed
    on another day. Raises UnknownHolidays."""
    import holidays  # takes 0.1 s, and most projects name no country

    known = getattr(holidays, country, None) if _CODE.fullmatch(country) else None
    code = getattr(known, "country", None)
    if known is None or not isinstance(code, str):
        raise _unknown_country(country)
    if subdivision is not None and subdivision not in _subdivisions(known):
        raise _unknown_subdivision(country, subdivision, known.subdivisions)
    last = min(LAST_YEAR, known.end_year)
    with warnings.catch_warnings():
        # That days of some moon calendars are estimates is said in our documentation.
        warnings.simplefilter("ignore")
        found = holidays.country_holidays(
            country, subdiv=subdivision, years=range(FIRST_YEAR, last + 1), expand=False
        )
    days = frozenset(day for day in found if FIRST_YEAR <= day.year <= LAST_YEAR)
    if not days:
        raise UnknownHolidays("country", f"no holiday of {shown(country)} is known", "write `dates` instead")
    return HolidayDates(days, last)


def _subdivisions(known: Any) -> set[str]:
    return {*known.subdivisions, *known.subdivisions_aliases}


def _unknown_country(country: str) -> UnknownHolidays:
    import holidays

    codes = [*holidays.list_supported_countries(include_aliases=False), "UK"]
    near = did_you_mean(country.upper(), codes) if len(country) <= 3 else None
    hint = near or "write its ISO 3166 code, such as `DE` or `US`"
    if country.upper() in codes:
        hint = f"did you mean `{country.upper()}`?"
    return UnknownHolidays("country", f"no holidays of a country {shown(country)} are known", hint)


def _unknown_subdivision(country: str, subdivision: str, known: Sequence[str]) -> UnknownHolidays:
    message = f"`{country}` has no subdivision {shown(subdivision)}"
    if not known:
        return UnknownHolidays("subdivision", f"`{country}` has no subdivisions", "remove it")
    if subdivision.upper() in known:
        return UnknownHolidays("subdivision", message, f"did you mean `{subdivision.upper()}`?")
    if len(known) > MOST_LISTED:
        hint = did_you_mean(subdivision, known) or f"such as `{known[0]}`"
        return UnknownHolidays("subdivision", message, hint)
    names = ", ".join(f"`{name}`" for name in known)
    return UnknownHolidays("subdivision", message, f"it has {names}")
