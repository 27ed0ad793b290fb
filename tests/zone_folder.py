"""A time zone database of a test's own: real zones, under names that no other database has."""

import shutil
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from taskcfg.spec.times.zones import forget_zones

CITY = "Test/City"
"""Nowhere but in the test's folder: the package `tzdata`, which stands in for what is missing, lacks it."""


class ZoneFolder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def let_city_keep(self, zone: str) -> None:
        """Give the city the clock of *zone*."""
        package = find_spec("tzdata")
        assert package is not None and package.origin is not None
        file = self.folder / CITY
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(package.origin).parent / "zoneinfo" / zone, file)

    def take_city_away(self) -> None:
        (self.folder / CITY).unlink()
        (self.folder / "Test" / "Other").touch()

    def say_version(self, version: str) -> None:
        (self.folder / "tzdata.zi").write_text(f"# version {version}\n", encoding="utf-8")


@contextmanager
def zones_from(folder: Path) -> Iterator[ZoneFolder]:
    """Let this process find its zones in *folder*, where the city keeps Berlin's clock."""
    found = ZoneFolder(folder)
    found.let_city_keep("Europe/Berlin")
    zoneinfo.reset_tzpath(to=[str(folder)])
    forget_zones()
    try:
        yield found
    finally:
        zoneinfo.reset_tzpath()
        forget_zones()
