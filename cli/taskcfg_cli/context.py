"""What the command line said that concerns every command, and what is opened from it."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.settings import Settings

_USUAL_COLLECTING = gc.get_threshold()

QUIET = "warning"
"""How much a command that ends by itself logs, unless somebody asks for more."""


@dataclass
class Invocation:
    """One run of the command: the flags that every command takes.

    `flags` are the settings given on the command line, by their names. `talks_json` says that all
    that is said on stderr must be lines of JSON.
    """

    format: str = "text"
    color: str = "auto"
    log_level: str | None = None
    log_format: str | None = None
    talks_json: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def as_json(self) -> bool:
        return self.format == "json"

    @property
    def debug(self) -> bool:
        return (self.log_level or os.environ.get("TASKCFG_LOG_LEVEL")) == "debug"

    @property
    def terminal_color(self) -> bool | None:
        """What click is told: True and False are final, None lets the terminal decide."""
        if self.color != "auto":
            return self.color == "always"
        return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None

    def settings(self, *, talkative: bool = False) -> Settings:
        """Read the settings and start logging to stderr. Raises InvalidSettings.

        A *talkative* command, one that runs until it is stopped, logs at the level that the
        settings say; any other only what is worth a warning, unless a level was asked for.
        """
        from taskcfg.settings import load_settings
        from taskcfg_cli.logs import start_logging

        if talkative:
            gc.set_threshold(*_USUAL_COLLECTING)
            self.talks_json = (self.log_format or os.environ.get("TASKCFG_LOG_FORMAT")) == "json"
        flags = {**self.flags, "log_level": self.log_level, "log_format": self.log_format}
        settings = load_settings(flags)
        asked = talkative or "log_level" in settings.given
        start_logging(settings.log_level if asked else QUIET, settings.log_format)
        self.talks_json = talkative and settings.log_format == "json"
        return settings

    def taskcfg(self) -> Taskcfg:
        """Return the control object for these settings; use it as a context manager."""
        settings = self.settings()  # before the database's libraries: a mistake in them is found at once
        from taskcfg.control import Taskcfg

        return Taskcfg(settings)
