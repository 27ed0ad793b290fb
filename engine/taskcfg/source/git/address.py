"""Where a repository is, with what may be shown and what may not kept apart."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from taskcfg.source.checkout import shown_address

_WEB = ("http", "https")


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is what git is told, on a command line that others can read; `shown` what logs and the database
    may hold. `authorization` is the HTTP header that says who we are, where the URL did."""

    url: str
    shown: str
    authorization: str | None = field(default=None, repr=False)


def address_of(url: str, root: Path) -> Address:
    """Take *url* apart. A path counts from *root*."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        path = Path(url).expanduser()
        is_path = path.is_absolute() or ":" not in url.partition("/")[0]
        whole = os.path.abspath(root / path) if is_path else url
        return Address(whole, whole)
    host, slash, path_there = rest.partition("/")
    who, at, host = host.rpartition("@")
    if not at or scheme.lower() not in _WEB:
        user = f"{who.partition(':')[0]}@" if at else ""
        return Address(f"{scheme}://{user}{host}{slash}{path_there}", shown_address(url))
    name, _, password = who.partition(":")
    known = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode("ascii")
    plain = f"{scheme}://{host}{slash}{path_there}"
    return Address(plain, plain, f"Authorization: Basic {known}")
