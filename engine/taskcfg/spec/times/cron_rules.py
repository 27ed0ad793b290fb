"""The cron rule of a schedule, if it has one."""

from __future__ import annotations

from taskcfg.spec.schedule import Cron, CronFields, Part, rule_of
from taskcfg.spec.times.cron import CronRule, read_cron, read_cron_fields


def cron_rule(part: Part) -> CronRule | None:
    """Return what *part* means if it is cron text or has named fields. Raises InvalidCron."""
    rule = rule_of(part)
    if isinstance(rule, Cron):
        return read_cron(rule.expression)
    return read_cron_fields(rule.fields) if isinstance(rule, CronFields) else None
