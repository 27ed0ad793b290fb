"""PgBouncer for tests: in transaction mode before a PostgreSQL server, with few connections to it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from services import children
from services.postgres import connect, unprivileged_user
from services.required import Missing
from waiting import eventually

SETTINGS = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
logfile = {folder}/log
"""


def program() -> str:
    """Return PgBouncer's path: `TASKCFG_TEST_PGBOUNCER`, or the system's. Raises Missing."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    found = os.environ.get("TASKCFG_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=path)
    if not found:
        raise Missing("no `pgbouncer` on this machine")
    return found


@contextmanager
def pooled(url: str, *, connections: int = 3) -> Iterator[str]:
    """Yield *url* leading through a PgBouncer of its own, which holds at most *connections* to the server."""
    user, parts = unprivileged_user(), urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="taskcfg-pgbouncer-"))
    port = children.free_port()
    settings = SETTINGS.format(
        host=parts.hostname,
        port=parts.port or 5432,
        user=parts.username,  # whoever comes is the server's one user: so says `auth_type = any`
        own_port=port,
        folder=folder,
        connections=connections,
    )
    (folder / "settings").write_text(settings)
    (folder / "users").write_text("")
    if user:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
    process = children.start(
        [program(), folder / "settings"], log=folder / "out", cwd=folder, user=user, death_signal="SIGKILL"
    )
    through = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
    try:
        eventually(lambda: _answers(through), timeout=30, message=lambda: (folder / "out").read_text())
        yield through
    finally:
        children.stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        connect(url, timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True
