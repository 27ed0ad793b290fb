"""Which time zone database a machine has."""

from pathlib import Path

import pytest

from taskcfg.source.zone_data import is_newer, zone_database
from zone_folder import ZoneFolder


def test_the_first_folder_with_zones_says_its_version(tmp_path: Path) -> None:
    zones = ZoneFolder(tmp_path / "there")
    zones.let_city_keep("Europe/Berlin")
    zones.say_version("2025b")
    (tmp_path / "empty").mkdir()

    folders = [str(tmp_path / name) for name in ("missing", "empty", "there")]

    assert zone_database(folders) == "2025b"


def test_bsd_and_macos_say_it_in_a_file_of_another_name(tmp_path: Path) -> None:
    (tmp_path / "+VERSION").write_text("2025b\n", encoding="utf-8")

    assert zone_database([str(tmp_path)]) == "2025b"


def test_a_folder_that_says_none_is_known_by_what_its_files_hold(tmp_path: Path) -> None:
    zones = ZoneFolder(tmp_path)
    zones.let_city_keep("Europe/Berlin")
    berlin = zone_database([str(tmp_path)])
    zones.let_city_keep("America/New_York")
    new_york = zone_database([str(tmp_path)])
    zones.let_city_keep("Europe/Berlin")

    assert berlin is not None and berlin.startswith("files-")
    assert new_york != berlin == zone_database([str(tmp_path)])


def test_without_a_folder_it_is_that_of_the_package() -> None:
    import tzdata

    assert zone_database([]) == tzdata.IANA_VERSION


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        ("2025b", "2025a", True),
        ("2025b", "2025b", False),
        ("2025b", "2026a", False),
        ("files-12", "2025a", None),
        ("2025b", "files-12", None),
    ],
)
def test_releases_have_an_order_and_digests_have_none(one: str, other: str, newer: bool | None) -> None:
    assert is_newer(one, other) is newer
