"""A RabbitMQ node of our own: it may be stopped, killed, frozen and alarmed, and no other is touched."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from services import children
from services.rabbitmq import answers
from services.required import Missing
from waiting import eventually

FOLDERS = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/rabbitmq/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
"""Where RabbitMQ's own scripts lie: what is on the PATH may be a wrapper that insists on another user."""

CONFIGURATION = """
loopback_users = none
disk_free_limit.absolute = 1MB
log.console = true
log.file = false
"""


def scripts() -> Path | None:
    """Return the folder of RabbitMQ's own scripts; None without a RabbitMQ that can be started."""
    on_path = shutil.which("rabbitmq-server")
    found = [Path(on_path).resolve().parent] if on_path else []
    for pattern in FOLDERS:
        found += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for folder in found:
        if (folder / "rabbitmq-defaults").exists() and folder.parent.joinpath("plugins").exists():
            return folder
    return None


class Server:
    """A node on a fixed port, with an Erlang port mapper of its own.

    Durable queues and what was confirmed in them survive `stop`, `kill` and `start`.
    """

    def __init__(self, folder: Path, binaries: Path, epmd: str) -> None:
        self._folder = folder
        self._binaries = binaries
        self._vhosts = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._port_mapper_port = children.free_port()
        self.port = children.free_port()
        self._environ = self._prepared()
        self._port_mapper = children.start(
            [epmd, "-port", str(self._port_mapper_port), "-address", "127.0.0.1"],
            log=folder / "epmd.log",
            cwd=folder,
            env=self._environ,
        )

    def fresh_url(self) -> str:
        """Start the node if need be, end its alarms, and return the URL of a new, empty vhost."""
        self.start()
        self.calm()
        vhost = f"test-{next(self._vhosts)}"
        self.ctl("add_vhost", vhost)
        self.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        return self._url(vhost)

    def start(self) -> None:
        """Start it, or let it go on after `freeze`, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
        eventually(self._started, timeout=120, interval=0.2, message=lambda: f"no RabbitMQ:\n{self.log}")

    def stop(self) -> None:
        """End it in peace: whoever is connected is told."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def alarm(self, kind: str = "memory") -> None:
        """Raise the alarm for `memory` or `disk`: while it lasts, who publishes is blocked."""
        if kind == "memory":
            self.ctl("set_vm_memory_high_watermark", "0")
        else:
            self.ctl("set_disk_free_limit", "900000000000000")
        eventually(lambda: kind in self._alarms())

    def calm(self) -> None:
        """End every alarm."""
        if self._alarms() != "[]":
            self.ctl("set_vm_memory_high_watermark", "0.9")
            self.ctl("set_disk_free_limit", "1000000")
            eventually(lambda: self._alarms() == "[]")

    def _alarms(self) -> str:
        return self.ctl("eval", "rabbit_alarm:get_alarms().").strip()

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on the node and return what it says."""
        done = subprocess.run(
            [self._binaries / "rabbitmqctl", "-q", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env=self._environ,
            check=False,
        )
        assert done.returncode == 0, f"rabbitmqctl {arguments} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def remove(self) -> None:
        """End it and delete its files."""
        self.kill()
        children.stop(self._port_mapper)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What the node said so far."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _prepared(self) -> dict[str, str]:
        """Write its configuration and return the environment that keeps it apart from every other node."""
        own = self._folder
        (own / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n{CONFIGURATION}")
        (own / "environment").touch()
        (own / "plugins").write_text("[].\n")
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))
        }
        return {
            **kept,
            "HOME": str(own),
            "ERL_EPMD_PORT": str(self._port_mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"taskcfg-test-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(children.free_port()),
            "RABBITMQ_MNESIA_BASE": str(own / "data"),
            "RABBITMQ_LOG_BASE": str(own),
            "RABBITMQ_CONFIG_FILE": str(own / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(own / "environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "plugins"),
            "RABBITMQ_PID_FILE": str(own / "pid"),
            # its script then becomes the server, whose own process we want to kill and to freeze
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _started(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            self._process = children.start(
                [self._binaries / "rabbitmq-server"],
                log=self._folder / "log",
                cwd=self._folder,
                env=self._environ,
            )
        return answers(self._url("/")) is None

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def _url(self, vhost: str) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(vhost, safe='')}"


@contextmanager
def own_server() -> Iterator[Server]:
    """Give a node that is not started yet; raise Missing without RabbitMQ's programs."""
    binaries, epmd = scripts(), shutil.which("epmd")
    if binaries is None or epmd is None:
        raise Missing("a node of our own: no RabbitMQ with its scripts and Erlang's `epmd` on this machine")
    server = Server(Path(tempfile.mkdtemp(prefix="taskcfg-rabbitmq-")), binaries, epmd)
    try:
        yield server
    finally:
        server.remove()
