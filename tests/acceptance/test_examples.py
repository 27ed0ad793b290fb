"""Example projects, tried as their READMEs say; `test_celery_app` tries the one with an app of its own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.project import Project

EXAMPLES = Path(__file__).parents[2] / "examples"


def copied(name: str, project: Project) -> None:
    leftovers = shutil.ignore_patterns("__pycache__", ".taskcfg", ".pytest_cache")
    shutil.copytree(EXAMPLES / name, project.folder, dirs_exist_ok=True, ignore=leftovers)


def test_the_plain_folder_is_valid_applied_once_and_runs(project: Project) -> None:
    copied("plain", project)
    hooks = project.read("tasks.d/team/hooks.yaml")
    project.write(
        "tasks.d/team/hooks.yaml", re.sub(r"schedule:(\n +cron:.*| {.*})", "schedule: manual", hooks)
    )

    project.ok("validate", "--strict", str(EXAMPLES / "plain" / "tasks.d"))
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    again = project.run("plan", "--detailed-exitcode")
    up = project.start("up")
    done = project.run("run", "purge-history", "sweep-logs", "--wait", "--timeout", "60s")

    assert again.code == 0, again
    assert done.code == 0, done
    up.stop()


@pytest.fixture
def office(project: Project) -> Project:
    """The example with types of its own, its package installed where the command finds it."""
    copied("own-types", project)
    installed = project.folder.parent / "installed"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*pip, "--target", str(installed), str(project.folder)], check=True, timeout=120)
    project.env["PYTHONPATH"] = str(installed)
    return project


def test_types_of_an_installed_package_are_known_and_run(office: Project) -> None:
    office.ok("validate", "--strict")
    tasks = office.read("tasks.d/office.yaml")
    office.write("wrong.yaml", tasks.replace("keep: 3", "keeps: 3"))
    wrong = office.run("validate", "wrong.yaml")

    up = office.start("up")
    up.wait_for(lambda: "backup-ledgers" in office.run("list").out, interval=0.5)
    done = office.run("run", "totals", "backup-ledgers", "--wait", "--timeout", "60s")

    assert (wrong.code, "did you mean `keep`?" in wrong.out) == (1, True)
    assert done.code == 0, done
    assert office.read("totals.csv").split() == ["account,amount", "rent,-1600.00", "sales,2550.75"]
    assert len(list((office.folder / "backups").glob("ledgers-*.tar.gz"))) == 1
    up.stop()


def test_the_tests_of_the_example_s_types_pass(office: Project) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {"PYTHONPATH": office.env["PYTHONPATH"], "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        words, cwd=office.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
