"""A copy of the package as its next version: one more step of the schema, and a version of its own."""

import shutil
from pathlib import Path

import taskcfg
import taskcfg_cli
import taskcfg_migrations
from taskcfg.store.schema import NEWEST

NEXT = f"{int(NEWEST) + 1:04}"
VERSION = "9.0.0"

STEP = '''"""One table more."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{newest}"
branch_labels = None
depends_on = None
additive = {additive}


def upgrade() -> None:
    op.create_table("of_the_next_version", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("of_the_next_version")
'''


def next_version(folder: Path, *, additive: bool) -> dict[str, str]:
    """Make it below *folder*; return the environment that lets a command run it."""
    place = folder / "next-version"
    for package in (taskcfg, taskcfg_cli, taskcfg_migrations):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, place / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    versions = place / "taskcfg_migrations/versions"
    (versions / f"{NEXT}_next.py").write_text(STEP.format(next=NEXT, newest=NEWEST, additive=additive))
    schema = place / "taskcfg/store/schema.py"
    schema.write_text(schema.read_text().replace(f'NEWEST = "{NEWEST}"', f'NEWEST = "{NEXT}"'))
    info = place / f"taskcfg-{VERSION}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: taskcfg\nVersion: {VERSION}\n")
    return {"PYTHONPATH": str(place)}
