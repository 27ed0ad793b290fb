"""The types' functions are called as they are; `taskcfg.testing` makes what they get."""

import tarfile
from datetime import timedelta
from pathlib import Path

import pytest
from bookkeeping.types import BackupParams, BadLedger, TotalsParams, folder_backup, ledger_totals
from pydantic import ValidationError

from taskcfg.testing import SPRING_FORWARD, make_fire

TOTALS = TotalsParams(ledgers="ledgers/*.csv", result=Path("totals.csv"))


@pytest.fixture(autouse=True)
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ledgers").mkdir()
    (tmp_path / "ledgers" / "a.csv").write_text("account,amount\nrent,-0.30\nsales,0.10\nsales,0.20\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_totals_are_exact_to_the_cent(office: Path) -> None:
    result = ledger_totals(TOTALS, make_fire("totals"))

    assert result == {"ledgers": 1, "totals": 2, "sum": "0.00"}
    assert (office / "totals.csv").read_text().split() == ["account,amount", "rent,-0.30", "sales,0.30"]


def test_a_broken_ledger_is_named_and_the_last_totals_stay(office: Path) -> None:
    (office / "totals.csv").write_text("the last ones")
    (office / "ledgers" / "b.csv").write_text("account,amount\nrent,much\n")

    with pytest.raises(BadLedger, match=r"b\.csv:2"):
        ledger_totals(TOTALS, make_fire("totals"))

    assert (office / "totals.csv").read_text() == "the last ones"


def test_a_pattern_outside_the_project_is_refused_before_the_task_runs() -> None:
    with pytest.raises(ValidationError, match="relative"):
        TotalsParams(ledgers="/etc/*.csv", result=Path("totals.csv"))


def test_a_backup_holds_the_folder_and_the_oldest_ones_go(office: Path) -> None:
    params = BackupParams(folder=Path("ledgers"), into=Path("backups"), keep=2)

    for day in range(3):
        result = folder_backup(params, make_fire("backup", nominal_at=SPRING_FORWARD + timedelta(days=day)))

    assert result["kept"] == 2
    assert [path.name for path in sorted((office / "backups").iterdir())] == [
        "ledgers-20260330T000000.tar.gz",
        "ledgers-20260331T000000.tar.gz",
    ]
    with tarfile.open(result["archive"]) as packed:
        assert packed.getnames() == ["ledgers", "ledgers/a.csv"]
