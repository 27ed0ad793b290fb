"""A TCP proxy in this process: takes a service away from one test, and from nobody else."""

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

PORTS = {"amqp": 5672, "postgresql": 5432, "postgresql+psycopg2": 5432, "redis": 6379, "http": 80}


class Proxy:
    """Stands between a client and *host*:*port*.

    `cut` is a service that died: open connections end, new ones are refused.
    `freeze` is one that hangs: connections stay and new ones are accepted, but
    no byte passes. `restore` ends both; bytes held by a freeze then pass.
    """

    def __init__(self, host: str, port: int, *, at: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._reserved = _bound(at, 0)  # never listens: keeps the port ours while cut
        self.host, self.port = self._reserved.getsockname()
        self.restore()

    def url_for(self, url: str) -> str:
        """Return *url* leading through this proxy."""
        parts = urlsplit(url)
        credentials = parts.netloc.rpartition("@")[0]
        place = f"{self.host}:{self.port}"
        netloc = f"{credentials}@{place}" if credentials else place
        return urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        with self._lock:
            listener, self._listener = self._listener, None
            cut, self._open = self._open, set()
        if listener:
            _hang_up(listener)
        for end in cut:
            _hang_up(end)
        self._flowing.set()  # what a freeze held back now meets closed sockets

    def freeze(self) -> None:
        """Pass no more bytes in either direction."""
        self._flowing.clear()

    def restore(self) -> None:
        """Pass everything again."""
        self._flowing.set()
        with self._lock:
            if self._listener is None:
                self._listener = _bound(self.host, self.port)
                self._listener.listen(128)
                self._begin(self._accept, self._listener)

    def close(self) -> None:
        """Cut, and wait for every thread to end."""
        self.cut()
        self._reserved.close()
        for thread in self._threads:
            thread.join(10)

    def _begin(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        listener.settimeout(0.1)  # not every system wakes an `accept` when its socket is shut down
        with listener, contextlib.suppress(OSError):
            while self._listener is listener:
                with contextlib.suppress(TimeoutError):
                    client, _ = listener.accept()
                    self._join(client, listener)

    def _join(self, client: socket.socket, listener: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            if self._listener is not listener:  # cut meanwhile
                client.close()
                server.close()
                return
            self._open |= {client, server}
        self._begin(self._pump, client, server)
        self._begin(self._pump, server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        _hang_up(source)
        _hang_up(sink)
        with self._lock:
            self._open -= {source, sink}
        source.close()


def proxy_for(url: str, *, at: str = "127.0.0.1") -> Proxy:
    """Return a proxy to the service at *url*, which listens on the address *at*."""
    parts = urlsplit(url)
    return Proxy(parts.hostname or "127.0.0.1", parts.port or PORTS[parts.scheme], at=at)


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _hang_up(end: socket.socket) -> None:
    """Wake whoever waits on *end*; its own thread closes it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
