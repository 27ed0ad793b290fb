"""What to write in place of a text that is no time zone."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from taskcfg.source.findings import did_you_mean
from taskcfg.spec.times.zones import may_be_zone


def zone_hint(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    zones = {zone for zone in available_timezones() if may_be_zone(zone)} - {value}
    same = next((zone for zone in sorted(zones) if zone.lower() == value.lower()), None)
    return f"did you mean `{same}`?" if same else did_you_mean(value, zones)
