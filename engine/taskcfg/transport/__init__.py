"""The embedded broker: Celery messages in one SQLite file, for one machine.

`embedded:///relative/broker.db` is relative to the process's working directory,
`embedded:////absolute/broker.db` is not. The file must lie on a local disk: SQLite's
write-ahead log does not work over a network.
"""

from __future__ import annotations

from pathlib import PurePath
from urllib.parse import quote

SCHEME = "embedded"


def register() -> None:
    """Teach kombu, and with it Celery, what an `embedded://` URL is. Cheap; may be called again."""
    from kombu.transport import TRANSPORT_ALIASES

    TRANSPORT_ALIASES[SCHEME] = "taskcfg.transport.embedded:Transport"


def url_for(path: PurePath) -> str:
    """Return the broker URL of the file at *path*."""
    return f"{SCHEME}:///{quote(path.as_posix())}"
