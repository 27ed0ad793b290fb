"""`taskcfg doctor` on where desired state comes from: the repository, and how sources stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from taskcfg.clock import Clock
from taskcfg.control.findings import Finding, failed, named, ok, task_files, warn
from taskcfg.control.following import mirror_of
from taskcfg.errors import TaskcfgError, count
from taskcfg.settings import Settings
from taskcfg.store.revisions import SourceRow


def files_found(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """The task files here are valid, or the repository that is followed can be read."""
    if settings.git_url is None:
        yield task_files(settings)
        return
    if settings.tasks_dir.exists():
        yield task_files(settings)
    try:
        found = mirror_of(settings, clock).look()
    except TaskcfgError as error:
        yield failed("repository", error)
        return
    yield ok("repository", f"`{settings.git_ref}` is at {found[:12]}")


def sources_in_sync(
    sources: Sequence[SourceRow], drifted_tasks: Callable[[], Sequence[str]]
) -> Iterator[Finding]:
    """What is in force is what the files say, as far as a scheduler that follows them knows.

    *drifted_tasks* says which were changed by hand, and raises TaskcfgError where that cannot be read.
    """
    try:
        drifted = drifted_tasks()
    except TaskcfgError as error:
        yield failed("sources", error)
        return
    for source in sources:
        if source.problems:
            more = len(source.problems) - 1
            beside = f", and {count(more, 'other')}" if more else ""
            reason = f"source `{source.name}`: {source.problems[0]}{beside}"
            yield warn("sources", reason, "`taskcfg status` shows all; the last good state stays in force")
    if drifted:
        reason = f"{count(len(drifted), 'task')} changed by hand since the last apply: {named(drifted)}"
        yield warn("sources", reason, "`taskcfg drift` shows what; `taskcfg apply` puts it right")
    elif sources and not any(source.problems for source in sources):
        yield ok("sources", f"no problem with {', '.join(source.name for source in sources)}")
