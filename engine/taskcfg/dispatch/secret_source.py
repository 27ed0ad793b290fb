"""Where a worker finds secrets: in a folder of files, as Docker mounts them, and in its environment."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from taskcfg.errors import SecretUnavailable
from taskcfg.spec.secrets import NAME

LARGEST = 1_048_576
"""Bytes that a secret's file may have."""


class SecretSource:
    """Looks secrets up, each time anew, so that one which is changed holds from the next attempt on.

    A file of *folder* goes before a variable of the same name: it can be changed while the worker
    runs. The line break at its end is no part of the secret.
    """

    def __init__(self, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environ = os.environ if environ is None else environ

    def look_up(self, name: str) -> str:
        """Return the value of *name*. Raises SecretUnavailable, which never tells a value.

        A file that cannot be read is never taken for one that is not there.
        """
        if not re.fullmatch(NAME, name, re.ASCII):
            raise SecretUnavailable(name, "no secret can be called so")
        found, place = self._from_folder(name), str(self._folder)
        if found is None:
            found, place = self._from_environment(name), "the worker's environment"
        if found is None:
            raise SecretUnavailable(name, f"it is not in {self._places()}")
        if not found:
            raise SecretUnavailable(name, f"it is empty in {place}")
        return found

    def _from_folder(self, name: str) -> str | None:
        if self._folder is None:
            return None
        file = self._folder / name
        try:
            return _content(file)
        except FileNotFoundError:
            if os.path.lexists(file):
                raise SecretUnavailable(name, f"{file} leads nowhere") from None
            return None
        except UnicodeDecodeError:
            raise SecretUnavailable(name, f"{file} is not UTF-8 text") from None
        except OSError as error:
            raise SecretUnavailable(name, f"{file} cannot be read: {error.strerror or error}") from None

    def _from_environment(self, name: str) -> str | None:
        found = self._environ.get(name)
        if found is not None and not _is_text(found):
            raise SecretUnavailable(name, "its variable in the worker's environment is not UTF-8 text")
        return found

    def _places(self) -> str:
        if self._folder is None:
            return "the worker's environment, and `secrets_dir` is not set"
        missing = "" if self._folder.exists() else " (which is not there)"
        return f"the folder {self._folder}{missing} nor in the worker's environment"


def _content(file: Path) -> str:
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError("it is not a file")
    with file.open("rb") as opened:
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError("it is larger than 1 MiB")
    text = data.decode()
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _is_text(value: str) -> bool:
    """Say whether *value* was UTF-8: what was not is kept in half characters by Python."""
    return not re.search("[\ud800-\udfff]", value)
