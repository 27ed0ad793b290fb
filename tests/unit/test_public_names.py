"""`import taskcfg`: few names, found when they are asked for."""

import pytest

import taskcfg


def test_the_public_names_are_those_a_user_needs() -> None:
    from taskcfg.control.project import Taskcfg
    from taskcfg.types.fire import Fire
    from taskcfg.types.params import Params
    from taskcfg.types.registry import task_type

    assert (taskcfg.Taskcfg, taskcfg.Fire, taskcfg.Params, taskcfg.task_type) == (
        Taskcfg,
        Fire,
        Params,
        task_type,
    )


def test_every_name_that_is_listed_can_be_had() -> None:
    listed = dir(taskcfg)

    assert {"Taskcfg", "Fire", "Params", "task_type", "TaskcfgError", "__version__"} <= set(listed)
    assert [name for name in listed if not hasattr(taskcfg, name)] == []


def test_what_is_no_name_of_ours_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Tasks'"):
        taskcfg.Tasks  # noqa: B018 the access is what is tested
