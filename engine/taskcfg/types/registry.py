"""The registry: every type this process can run, found by name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType

from taskcfg.errors import InvalidType, UnknownType
from taskcfg.settings import Settings
from taskcfg.spec.task import TaskSpec
from taskcfg.types.declare import Misfit, TaskType, declared, task_type
from taskcfg.types.importing import place

__all__ = ["LATER", "SHIPPED", "Misfit", "Registry", "TaskType", "load_types", "task_type", "types_of"]

GROUP = "taskcfg.types"

SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "celery": "taskcfg.types.celery_task",
        "cleanup": "taskcfg.types.cleanup",
        "http": "taskcfg.types.http",
    }
)
"""The types that come with taskcfg and their modules, imported when first asked for."""

LATER = ("bot_scraping", "data_processing", "email", "notification", "shell", "system_maintenance")
"""Types that a later version ships."""


class Registry:
    """Types by name. Does not change, except that a shipped type is imported when it is first asked for.

    With *settings*, tasks are checked against what these say. Raises InvalidType, naming both
    modules, when two types have one name.
    """

    def __init__(
        self,
        types: Iterable[TaskType] = (),
        *,
        shipped: Mapping[str, str] = SHIPPED,
        settings: Settings | None = None,
    ) -> None:
        self._settings = settings
        self._types: dict[str, TaskType] = {}
        self._shipped = shipped
        for candidate in types:
            other = self._types.get(candidate.name)
            module = other.module if other else shipped.get(candidate.name)
            if module is not None and (other or module != candidate.module):
                raise InvalidType(
                    f"two types are named `{candidate.name}`: in {module} and in {candidate.module}",
                    hint="rename one of them",
                )
            self._types[candidate.name] = candidate

    def __contains__(self, name: object) -> bool:
        return name in self._types or name in self._shipped

    def __iter__(self) -> Iterator[TaskType]:
        """Yield every type, by name."""
        return (self.named(name) for name in self.names())

    def names(self) -> tuple[str, ...]:
        """Return the names of all types, sorted, without importing any."""
        return tuple(sorted({*self._types, *self._shipped}))

    def find(self, name: str) -> TaskType | None:
        """Return the type of that *name*, or None."""
        found = self._types.get(name)
        if found is None and name in self._shipped:
            found = self._types[name] = _shipped_type(name, self._shipped[name])
        return found

    def named(self, name: str) -> TaskType:
        """Return the type of that *name*. Raises UnknownType, with what may be meant."""
        found = self.find(name)
        if found is None:
            raise UnknownType(f"no type is named `{name}`", hint=self.hint(name))
        return found

    def misfits(self, spec: TaskSpec) -> tuple[Misfit, ...]:
        """Return what the type of *spec* finds wrong with the whole task. Raises InvalidSettings where
        the settings that it needs for that do not work."""
        found = self.find(spec.type)
        return () if found is None or found.check is None else tuple(found.check(spec, self._settings))

    def hint(self, name: str) -> str:
        """Return what to say to someone who asked for *name*, which is no type."""
        if name in LATER:
            return "it comes with a later version of taskcfg"
        near = get_close_matches(name, self.names(), n=1)
        names = ", ".join(f"`{known}`" for known in self.names())
        return f"did you mean `{near[0]}`?" if near else f"the types are {names}"


def types_of(settings: Settings) -> Registry:
    """Return the types of *settings*, which check whole tasks too. Raises what `load_types` does."""
    return load_types(settings.types, settings.project_root, settings)


def load_types(
    modules: Sequence[str] = (), project_root: Path | None = None, settings: Settings | None = None
) -> Registry:
    """Return the types that ship, those of *modules*, and those of installed packages.

    *modules* are imported with *project_root* first on `sys.path`, as `celery -A` does; packages
    announce theirs in the entry-point group `taskcfg.types`. Raises InvalidType, naming the
    module, the reason and the place, when one cannot be imported or declares what cannot work.
    """
    if project_root is not None and modules and str(project_root) not in sys.path:
        sys.path.insert(0, str(project_root))
    found: list[TaskType] = []
    for module in modules:
        found += _types_of(module, "the setting `types`", project_root)
    for module, package in _announced():
        found += _types_of(module, f"the installed package {package}", project_root)
    return Registry({id(candidate): candidate for candidate in found}.values(), settings=settings)


def _announced() -> list[tuple[str, str]]:
    """Return the modules of other packages' entry points, each with its package, in order."""
    from importlib.metadata import entry_points

    shipped = set(SHIPPED.values())
    return sorted(
        (point.module, point.dist.name if point.dist else "?")
        for point in entry_points(group=GROUP)
        if point.module not in shipped
    )


def _types_of(name: str, origin: str, root: Path | None) -> list[TaskType]:
    """Import the module and return the types it declares, holds, or caused to be declared."""
    before = dict(declared)
    held = {id(value) for value in vars(_imported(name, origin, root)).values()}
    return [
        candidate
        for key, candidate in declared.items()
        if before.get(key) is not candidate
        # A module imported earlier declares nothing new: its types are those it holds.
        or candidate.module == name
        or candidate.module.startswith(f"{name}.")
        or id(candidate.function) in held
    ]


def _imported(name: str, origin: str, root: Path | None) -> ModuleType:
    try:
        # What a module prints while it is imported must not mix with a command's result.
        with redirect_stdout(sys.stderr):
            return import_module(name)
    except InvalidType:
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise InvalidType(
                f"no module is named `{name}`, which {origin} names",
                hint=f"it is looked for in {root or 'the installed packages'}: check its spelling",
            ) from error
        raise _broken(name, origin, error, root) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's module can raise anything
        raise _broken(name, origin, error, root) from error


def _broken(name: str, origin: str, error: BaseException, root: Path | None) -> InvalidType:
    return InvalidType(
        f"module `{name}`, which {origin} names, cannot be imported: "
        f"{type(error).__name__}: {error} ({place(error, root)})",
        hint="mend the module, or take it out",
    )


def _shipped_type(name: str, module: str) -> TaskType:
    import_module(module)
    return next(found for found in declared.values() if found.name == name and found.module == module)
