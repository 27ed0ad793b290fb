"""What a shell offers while somebody types: quick, from what is at hand, and silent when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from taskcfg.settings import Settings
from taskcfg.source.environments import NO_ENVIRONMENT
from taskcfg.source.loader import load_folder
from taskcfg.source.memory import memory_of
from taskcfg.types.registry import types_of

PATIENCE = 1.0
"""Seconds after which a database is too slow to be asked while somebody waits at the prompt."""


@dataclass(frozen=True, slots=True)
class Known:
    """Names of tasks and keys of their labels, in order."""

    names: tuple[str, ...]
    label_keys: tuple[str, ...]


def known(settings: Settings) -> Known:
    """Return what the database knows of live tasks; where it does not answer at once, what the files say.

    Raises what reading the files raises.
    """
    answers: list[Known] = []
    asking = Thread(target=_ask, args=(settings.database_url, answers.append), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answers[0] if answers else _of_files(settings)


def type_names(settings: Settings) -> Sequence[str]:
    """Return the names of the registered types. Raises InvalidType."""
    return types_of(settings).names()


def _ask(url: str, answer: Callable[[Known], None]) -> None:
    from taskcfg.store.database import open_database, reading
    from taskcfg.store.selecting import labels_by_name

    try:
        database = open_database(url, role="completion") if not _absent(url) else None
        if database is not None:
            with reading(database) as connection:
                tasks = labels_by_name(connection)
            answer(Known(tuple(tasks), tuple(sorted({key for labels in tasks.values() for key in labels}))))
            database.dispose()
    except Exception:  # noqa: BLE001 whatever is wrong with it, nobody asked for it at a prompt
        return


def _absent(url: str) -> bool:
    """Say whether there is no database yet: looking must not make an empty one."""
    kind, _, path = url.partition(":///")
    return kind.startswith("sqlite") and not Path(path.partition("?")[0]).is_file()


def _of_files(settings: Settings) -> Known:
    root = settings.project_root
    used_before = settings.state_folder.is_dir()  # pressing tab must not make the folder
    memory = memory_of(settings, NO_ENVIRONMENT) if used_before else None
    specs = load_folder(settings.tasks_dir, types_of(settings), root=root, memory=memory).specs
    keys = {key for spec in specs for key in spec.labels}
    return Known(tuple(sorted(spec.name for spec in specs)), tuple(sorted(keys)))
