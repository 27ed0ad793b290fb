"""A type may look at a whole task: what it finds is reported where it stands in the file."""

from collections.abc import Iterable

from taskcfg.problems import Severity
from taskcfg.settings import Settings
from taskcfg.source.loader import Loaded, load_text
from taskcfg.spec.task import TaskSpec
from taskcfg.types.declare import Misfit, declared, task_type
from taskcfg.types.params import Params
from taskcfg.types.registry import Registry


class Window(Params):
    sizes: tuple[int, ...] = ()


def checked(text: str, *misfits: Misfit) -> Loaded:
    """Load *text*, in which tasks are of a type `picky` whose check finds *misfits*."""

    def check(spec: TaskSpec, settings: Settings | None) -> Iterable[Misfit]:
        return misfits

    @task_type("picky", check=check)
    def picky(params: Window) -> None: ...

    found = [found for found in declared.values() if found.name == "picky"]
    return load_text(text, Registry(found), file="a.yaml")


TASK = """\
defaults:
  retry: {attempts: 3}
tasks:
  t:
    type: picky
    schedule: manual
    params:
      sizes: [1, 2]
"""


def test_a_misfit_stands_at_the_value_its_path_leads_to_also_an_inherited_one() -> None:
    loaded = checked(
        TASK,
        Misfit(("params", "sizes", 1), "is even", "take 3"),
        Misfit(("retry", "attempts"), "is too often"),
    )

    assert [problem.text() for problem in loaded.problems] == [
        "a.yaml:2:21: retry.attempts: is too often",
        "a.yaml:8:18: params.sizes[1]: is even\n    take 3",
    ]
    assert loaded.specs == ()


def test_what_is_not_in_the_file_is_reported_at_the_last_key_on_the_way_or_at_the_name() -> None:
    loaded = checked(TASK, Misfit(("params", "colour"), "is missing"), Misfit(("overlap",), "must be allow"))

    assert [problem.text() for problem in loaded.problems] == [
        "a.yaml:4:3: overlap: must be allow",
        "a.yaml:7:5: params.colour: is missing",
    ]


def test_a_warning_leaves_the_task_in_force() -> None:
    loaded = checked(TASK, Misfit(("params",), "is odd", severity=Severity.WARNING))

    assert loaded.valid
    assert [spec.name for spec in loaded.specs] == ["t"]
