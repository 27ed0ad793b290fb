"""URLs as they may be shown."""

from __future__ import annotations

import re

from taskcfg.settings import Settings

_USERINFO = re.compile(r"(?<=://)([^/@:;]*):[^;?]*@")
"""Up to the last `@`: a password that should have been quoted may itself hold `/` or `@`."""

_QUERY = re.compile(r"((?:password|passwd|secret|token)[^=&;]*=)[^&;]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """Return *url*, or several joined by `;`, with every password replaced by `***`."""
    return _QUERY.sub(r"\1***", _USERINFO.sub(r"\1:***@", url))


def broker_shown(settings: Settings) -> str:
    """Return the broker as it may be shown; one that only the user's own app knows, as that app's."""
    if settings.their_broker:
        return f"that of {settings.celery_app}"
    return without_password(settings.broker_url)
