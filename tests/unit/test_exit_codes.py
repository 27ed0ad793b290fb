"""Exit codes mean the same everywhere; each error has one, and a code word that no other has."""

from taskcfg import errors
from taskcfg.errors import TaskcfgError
from taskcfg_cli.exit_codes import BY_ERROR, ExitCode, exit_code_of

ERRORS = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, TaskcfgError)
]


def test_the_numbers_are_the_contract() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "ERROR": 1,
        "CHANGES": 2,
        "STALE_PLAN": 3,
        "LOCK_TIMEOUT": 4,
        "REFUSED": 5,
        "APPROVAL_NEEDED": 6,
        "USAGE": 64,
        "INTERRUPTED": 130,
    }


def test_every_error_has_a_code_word_of_its_own() -> None:
    words = [error.code for error in ERRORS]

    assert len(words) == len(set(words))


def test_the_errors_with_a_number_of_their_own_exist() -> None:
    assert BY_ERROR.keys() <= {error.code for error in ERRORS}


def test_each_error_ends_a_command_as_the_contract_says() -> None:
    special = {
        "StalePlan": 3,
        "Overtaken": 3,
        "LockTimeout": 4,
        "UnsafePlan": 5,
        "NameTaken": 5,
        "SchemaInUse": 5,
        "ApprovalNeeded": 6,
    }

    assert {error.__name__: exit_code_of(error.code).value for error in ERRORS} == {
        error.__name__: special.get(error.__name__, 1) for error in ERRORS
    }


def test_every_error_is_a_public_name() -> None:
    import taskcfg

    assert [error.__name__ for error in ERRORS if getattr(taskcfg, error.__name__, None) is not error] == []
