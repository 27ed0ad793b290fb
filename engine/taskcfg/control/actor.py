"""Who acts: what revisions and requested fires are signed with."""

from __future__ import annotations

import getpass
import socket

from taskcfg.settings import Settings


def actor_of(settings: Settings) -> str:
    """Return the setting `actor`, or `user@host`."""
    return settings.actor or f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
