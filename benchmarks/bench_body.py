"""From the scheduled time to the task's body: an idle prefork worker, RabbitMQ, PostgreSQL."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import runner
import services
from burst import HEAD_START, Setting, conf_file
from processes import PROGRAMS, PYTHON, Background
from project import Project, instant, write
from queues import own_rabbit_queue
from runner import Benchmark, Column, Figures

MAIN = "p50, ms"
PLAIN = "send_task"

TYPES = '''\
import time
from datetime import datetime

from taskcfg import Fire, Params, task_type


class BodyParams(Params):
    """Where the time is written."""

    out: str


@task_type("bench_body")
def body(params: BodyParams, fire: Fire) -> None:
    """Write how long after its nominal time it began."""
    began = time.time()
    with open(params.out, "a", encoding="utf-8") as out:
        out.write(f"{began - fire.nominal_at.timestamp():.6f}\\n")
'''


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=40, help="fires of a round (default 40)")
    parser.add_argument("--step", type=float, default=0.37, help="seconds between them (default 0.37)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    services.require_rabbitmq()
    fires: list[tuple[str, Callable[[Setting, float], list[Background]]]] = [
        ("taskcfg", _taskcfg),
        (PLAIN, _plain),
    ]
    return [
        Benchmark(
            title=f"scheduled time to task body, idle, RabbitMQ, prefork; {options.n} fires a round",
            main=MAIN,
            columns=[Column(name, _round(start, options.n, options.step)) for name, start in fires],
            against=(PLAIN,),
            goal="p50 at most that of plain send_task + 25 ms",
        )
    ]


def _round(start: Callable[[Setting, float], list[Background]], n: int, step: float) -> Callable[[], Figures]:
    def measure() -> Figures:
        with ExitStack() as stack:
            setting = Setting(
                due=time.time() + HEAD_START + 6.0,
                n=n,
                queue=stack.enter_context(own_rabbit_queue()),
                database=stack.enter_context(services.own_database()),
                folder=Path(stack.enter_context(TemporaryDirectory(prefix="taskcfg-bench-"))),
            )
            processes = start(setting, step)
            for process in processes:
                stack.enter_context(process)
            return _figures(setting, step, processes)

    return measure


def _out(setting: Setting) -> Path:
    return setting.folder / "bodies.txt"


def _figures(setting: Setting, step: float, processes: Sequence[Background]) -> Figures:
    """Wait for the last fire and return how late the bodies were."""
    deadline = setting.due + setting.n * step + 5.0
    late: list[float] = []
    while len(late) < setting.n and time.time() < deadline:
        time.sleep(0.2)
        for process in processes:
            process.check()
        late = (
            [float(line) * 1000 for line in _out(setting).read_text().splitlines()]
            if _out(setting).exists()
            else []
        )
    if len(late) < 2:
        raise RuntimeError(f"{len(late)} of {setting.n} bodies ran")
    cuts = statistics.quantiles(late, n=100, method="inclusive")
    return {MAIN: cuts[49], "p99, ms": cuts[98], "max, ms": max(late), "lost": setting.n - len(late)}


def _taskcfg(setting: Setting, step: float) -> list[Background]:
    project = Project(
        setting.folder,
        {
            "database_url": setting.database,
            "broker_url": services.RABBITMQ_URL,
            "types": "bench_types",
            "queues": setting.queue.name,
            "concurrency": "1",
        },
    )
    (project.folder / "bench_types.py").write_text(TYPES, encoding="utf-8")
    instants = ", ".join(f"'{instant(setting.due + index * step)}'" for index in range(setting.n))
    task = (
        "  body:\n"
        "    type: bench_body\n"
        f"    schedule: {{at: [{instants}]}}\n"
        f"    params: {{out: '{_out(setting)}'}}\n"
        "    overlap: allow\n"
    )
    write(project, "body.yaml", setting.queue.name, [task])
    project.run("db", "upgrade")
    project.run("apply", "--yes")
    return [project.start("worker"), project.start("scheduler")]


def _plain(setting: Setting, step: float) -> list[Background]:
    env = {
        "BENCH_CONF": str(conf_file(setting, PLAIN, step=step, out=str(_out(setting)))),
        "PYTHONPATH": str(PROGRAMS),
    }
    worker = [PYTHON, "-m", "celery", "-A", "peer_app", "worker", "-c", "1", "-P", "prefork", "-l", "WARNING"]
    sender = [PYTHON, str(PROGRAMS / "plain_send.py")]
    log = setting.folder / "plain.log"
    return [Background(argv, log=log, cwd=setting.folder, env=env) for argv in (worker, sender)]


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
