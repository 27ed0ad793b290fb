"""Who takes part in a burst: taskcfg, the limit, and the peers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import psycopg2

import peers
import processes
import services
from burst import Setting, conf_file
from processes import PROGRAMS, PYTHON, Background, Running, Together
from project import Project, write_daily
from runner import Figures

DAY = 86_400.0
RECORDED = "recorded after, s"
WRITTEN_DOWN = "SELECT count(*), max(published_at) FROM schedule_event WHERE state = 'published'"


class Taskcfg:
    """`taskcfg apply` fills the database, one `taskcfg scheduler` fires."""

    def fill(self, setting: Setting) -> None:
        project = Project(
            setting.folder, {"database_url": setting.database, "broker_url": setting.queue.broker}
        )
        write_daily(project, setting.n, setting.due, setting.queue.name)
        project.run("db", "upgrade")
        project.run("apply", "--yes")
        self._project = project

    def start(self, setting: Setting) -> Running:
        return self._project.start("scheduler")

    def recorded(self, setting: Setting) -> Figures:
        """Wait until every fire is written down as confirmed."""
        connection = psycopg2.connect(setting.database)
        connection.autocommit = True
        deadline = time.monotonic() + 60
        try:
            with connection.cursor() as cursor:
                while True:
                    cursor.execute(WRITTEN_DOWN)
                    count, last = cursor.fetchone() or (0, None)
                    if count >= setting.n or time.monotonic() > deadline:
                        break
                    time.sleep(0.05)
        finally:
            connection.close()
        return {RECORDED: last.timestamp() - setting.due if last else float("nan"), "recorded": count}

    def clean(self, setting: Setting) -> None: ...


class TwoSchedulers(Taskcfg):
    """The same database, and two `taskcfg scheduler` that share it; figures are of both together."""

    def start(self, setting: Setting) -> Running:
        return Together([self._project.start("scheduler", log=f"scheduler-{each}.log") for each in range(2)])

    def recorded(self, setting: Setting) -> Figures:
        figures = super().recorded(setting)
        return {**figures, "least share, %": _least_share(setting)}


def _least_share(setting: Setting) -> float:
    """Return how much of the fires the node recorded that recorded fewer, in percent."""
    connection = psycopg2.connect(setting.database)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM schedule_event GROUP BY node_id ORDER BY 1")
            counts = [row[0] for row in cursor.fetchall()]
    finally:
        connection.close()
    return counts[0] * 100 / sum(counts) if len(counts) > 1 else 0.0


class Limit:
    """`programs/limit_burst.py`: rows by COPY, one channel, one wait for the confirms of a thousand.

    On Redis `programs/limit_burst_redis.py`: the answer of a pipeline of ten LPUSH is the confirm.
    """

    def fill(self, setting: Setting) -> None: ...

    def start(self, setting: Setting) -> Background:
        document = {
            "due": setting.due,
            "n": setting.n,
            "queue": setting.queue.name,
            "broker": setting.queue.broker,
            "database": setting.database,
            "out": str(setting.folder / "out.json"),
        }
        on_redis = setting.queue.broker.startswith("redis")
        program = PROGRAMS / ("limit_burst_redis.py" if on_redis else "limit_burst.py")
        argv = [PYTHON, str(program), json.dumps(document)]
        return Background(argv, log=setting.folder / "limit.log", cwd=setting.folder)

    def recorded(self, setting: Setting) -> Figures:
        out = setting.folder / "out.json"
        deadline = time.monotonic() + 30
        while not (out.exists() and out.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        ended: float = json.loads(out.read_text())["recorded_at"]
        return {RECORDED: ended - setting.due, "recorded": setting.n}

    def clean(self, setting: Setting) -> None: ...


class Peer:
    """A peer's own scheduler process, unmodified, on the application `programs/peer_app.py`."""

    name: str
    needs: Sequence[str]
    fills = False

    def __init__(self, period: float = DAY, step: float = 0.0) -> None:
        """Each task recurs every *period* seconds, *step* seconds after the one before it."""
        self._phases = {"period": period, "step": step}

    def argv(self, setting: Setting) -> list[str]:
        raise NotImplementedError

    def conf(self, setting: Setting) -> dict[str, object]:
        return {}

    def missing(self) -> str | None:
        return peers.missing(*self.needs)

    def fill(self, setting: Setting, **options: object) -> None:
        """Fill its store; the application reads *options* besides."""
        conf = {**self._phases, **self.conf(setting), **options}
        self._env = {
            "BENCH_CONF": str(conf_file(setting, self.name, **conf)),
            "PYTHONPATH": str(PROGRAMS),
        }
        if self.fills:
            processes.run([peers.PYTHON, str(PROGRAMS / "peer_fill.py")], cwd=setting.folder, env=self._env)

    def start(self, setting: Setting) -> Background:
        log = setting.folder / "peer.log"
        return Background(self.argv(setting), log=log, cwd=setting.folder, env=self._env)

    def recorded(self, setting: Setting) -> Figures:
        return {}

    def clean(self, setting: Setting) -> None: ...


class ApschedulerMemory(Peer):
    name = "apscheduler_memory"
    needs: Sequence[str] = ("apscheduler", "celery")

    def argv(self, setting: Setting) -> list[str]:
        return [peers.PYTHON, str(PROGRAMS / "peer_apscheduler.py")]


class ApschedulerPostgres(ApschedulerMemory):
    name = "apscheduler_postgres"
    needs: Sequence[str] = ("apscheduler", "celery", "sqlalchemy", "psycopg2")
    fills = True

    def conf(self, setting: Setting) -> dict[str, object]:
        return {"sqlalchemy": setting.database.replace("postgresql://", "postgresql+psycopg2://", 1)}


class Beat(Peer):
    name = "beat"
    needs: Sequence[str] = ("celery",)

    def argv(self, setting: Setting) -> list[str]:
        state = str(setting.folder / "beat-schedule")
        return [peers.CELERY, "-A", "peer_app", "beat", "-l", "WARNING", "-s", state, "--pidfile="]


class Redbeat(Beat):
    """Celery beat on RedBeat's scheduler; its keys in Redis have a prefix of their own."""

    name = "redbeat"
    needs: Sequence[str] = ("celery", "redbeat", "redis")
    fills = True

    def argv(self, setting: Setting) -> list[str]:
        return [*super().argv(setting), "-S", "redbeat.RedBeatScheduler"]

    def conf(self, setting: Setting) -> dict[str, object]:
        return {"redis": services.REDIS_URL, "prefix": self._prefix(setting)}

    def missing(self) -> str | None:
        return super().missing() or services.redis_missing()

    def clean(self, setting: Setting) -> None:
        services.forget_redis(self._prefix(setting))

    def _prefix(self, setting: Setting) -> str:
        return f"{setting.queue.name}:"


class DjangoCeleryBeat(Beat):
    """Celery beat on django-celery-beat's scheduler, its tables in the round's own database."""

    name = "django_celery_beat"
    needs: Sequence[str] = ("celery", "django", "django_celery_beat", "psycopg2")
    fills = True

    def argv(self, setting: Setting) -> list[str]:
        return [*super().argv(setting), "-S", "django_celery_beat.schedulers:DatabaseScheduler"]
