"""What surrounds a type's function: the settings of the worker that runs it."""

from __future__ import annotations

from taskcfg.settings import Settings, load_settings

_settings: Settings | None = None


def work_under(settings: Settings) -> None:
    """Let the types of this process, and of its forks, work under *settings*."""
    global _settings
    _settings = settings


def settings_at_work() -> Settings:
    """Return the worker's settings; outside of a worker those of `taskcfg.toml` and the environment."""
    return _settings or load_settings()
