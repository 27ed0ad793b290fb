"""The task types: `ledger_totals` and `folder_backup`. Paths are relative to where the worker runs."""

import csv
import os
import tarfile
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from taskcfg import Fire, Params, task_type


class BadLedger(Exception):
    """A ledger does not hold what it should; says where."""


class TotalsParams(Params):
    """Which ledgers to add up, and where the totals go."""

    ledgers: str = Field(description="Which CSV files, as a pattern", examples=["ledgers/*.csv"])
    group_by: str = Field(default="account", description="The column to have a total for each value of")
    amount: str = Field(default="amount", description="The column to add up")
    result: Path = Field(description="The CSV file to write", examples=["totals.csv"])

    @field_validator("ledgers")
    @classmethod
    def _stays_here(cls, pattern: str) -> str:
        if Path(pattern).is_absolute():
            raise ValueError("write the pattern relative to the project's folder")
        return pattern


@task_type("ledger_totals", timeout="5m")
def ledger_totals(params: TotalsParams, fire: Fire) -> dict[str, Any]:
    """Add up CSV ledgers by account, and write the totals."""
    ledgers = sorted(Path().glob(params.ledgers))
    if not ledgers:
        raise BadLedger(f"no ledger matches {params.ledgers}")
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for ledger in ledgers:
        _add(ledger, params, totals)
    _write(params, totals)
    fire.logger.info("%d ledgers, %d totals", len(ledgers), len(totals))
    return {"ledgers": len(ledgers), "totals": len(totals), "sum": str(sum(totals.values()))}


def _add(ledger: Path, params: TotalsParams, totals: defaultdict[str, Decimal]) -> None:
    with ledger.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        for row in rows:
            try:
                totals[row[params.group_by]] += Decimal(row[params.amount])
            except (KeyError, TypeError, InvalidOperation) as error:
                raise BadLedger(f"{ledger}:{rows.line_num}: {error!r}") from error


def _write(params: TotalsParams, totals: dict[str, Decimal]) -> None:
    """Write the totals, whole or not at all: an attempt may be stopped at any time."""
    new = params.result.with_name(f"{params.result.name}.new")
    with new.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([params.group_by, params.amount])
        rows.writerows(sorted(totals.items()))
    os.replace(new, params.result)


class BackupParams(Params):
    """What to pack, where to, and how much to keep."""

    folder: Path = Field(description="The folder to pack")
    into: Path = Field(description="The folder that holds the archives")
    keep: int = Field(default=7, ge=1, description="How many archives to keep")


@task_type("folder_backup", timeout="1h", retry={"attempts": 3, "delay": "1m"})
def folder_backup(params: BackupParams, fire: Fire) -> dict[str, Any]:
    """Pack a folder into an archive of its own, and remove the oldest archives.

    The archive is named by the fire's nominal time: an attempt that runs again replaces it.
    """
    if not params.folder.is_dir():
        raise FileNotFoundError(f"{params.folder} is no folder")
    params.into.mkdir(parents=True, exist_ok=True)
    archive = params.into / f"{params.folder.name}-{fire.nominal_at:%Y%m%dT%H%M%S}.tar.gz"
    new = archive.with_name(f"{archive.name}.new")
    with tarfile.open(new, "w:gz") as packed:
        packed.add(params.folder, params.folder.name)
    os.replace(new, archive)
    archives = sorted(params.into.glob(f"{params.folder.name}-*.tar.gz"))
    for old in archives[: -params.keep]:
        old.unlink()
    return {"archive": str(archive), "bytes": archive.stat().st_size, "kept": min(len(archives), params.keep)}
