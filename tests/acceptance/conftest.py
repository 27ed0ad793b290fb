"""Acceptance: the installed command as a subprocess, as a user meets it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.project import Project, declare


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project folder with the embedded defaults; whatever was started in it is stopped."""
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    project = Project(folder, home)
    yield project
    project.close()


@pytest.fixture
def production(project: Project, postgres_url: str, rabbitmq_url: str) -> Iterator[Project]:
    """The same on PostgreSQL and RabbitMQ, each empty and for this test alone."""
    project.env |= {"TASKCFG_DATABASE_URL": postgres_url, "TASKCFG_BROKER_URL": rabbitmq_url}
    yield project
    project.close()  # before its services go


@pytest.fixture
def ready(project: Project) -> Project:
    """A project with tables, and the task `nightly` applied."""
    project.ok("db", "upgrade")
    declare(project, "nightly")
    project.ok("apply", "--yes")
    return project
