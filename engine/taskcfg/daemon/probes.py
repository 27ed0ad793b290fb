"""The scheduler's port: `/livez` and `/readyz`, for whoever supervises it.

A small server of its own, since all it must do is never get in the way: each answer has a thread, an
end, and a limit to what it reads.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskcfg.clock import SystemClock
from taskcfg.daemon.health import Vitals, notes, why_dead, why_unready
from taskcfg.errors import TaskcfgError

logger = logging.getLogger("taskcfg.scheduler")

MOST_AT_ONCE = 32
"""Connections answered at once; more are closed unanswered."""

LONGEST_REQUEST = 8192
"""Bytes of a request, headers and all."""

PATIENCE = 5.0
"""Seconds for a client to say what it wants, and again to take the answer."""

LAST_WORDS = 0.5
"""Seconds for a client that was answered before it had said all."""

TAKEN = "somebody has this port, perhaps another scheduler: give each its own `metrics_port`"
NOWHERE = "`metrics_host` must be an address of this machine, such as 127.0.0.1 or 0.0.0.0"

_SAYINGS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON document that goes with it."""

    status: int
    document: dict[str, Any]

    def octets(self, *, head: bool) -> bytes:
        body = b"" if head else self._body()
        lines = [
            f"HTTP/1.1 {self.status} {_SAYINGS[self.status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(self._body())}",
            "Cache-Control: no-store",
            *(["Allow: GET, HEAD"] if self.status == 405 else []),
            "Connection: close",
        ]
        return "\r\n".join((*lines, "", "")).encode("ascii") + body

    def _body(self) -> bytes:
        return json.dumps(self.document).encode("ascii") + b"\n"


def answer(request: bytes, vitals: Callable[[], Vitals]) -> tuple[Answer, bool]:
    """Return the answer to a whole *request*, and whether it wants only its head."""
    line = request.split(b"\r\n", 1)[0].split(b"\n", 1)[0].decode("latin-1")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return Answer(400, {"error": "this is no HTTP request"}), False
    method, path = words[0], words[1].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return Answer(405, {"error": f"only GET and HEAD are answered, not {method}"}), False
    return _document(path, vitals), method == "HEAD"


def _document(path: str, vitals: Callable[[], Vitals]) -> Answer:
    match path:
        case "/livez":
            dead = why_dead(vitals())
            return Answer(503 if dead else 200, {"live": not dead, "reasons": dead})
        case "/readyz":
            seen = vitals()
            unready = why_unready(seen)
            document = {"ready": not unready, "reasons": unready, "notes": notes(seen)}
            return Answer(503 if unready else 200, document)
        case "/metrics":
            return Answer(404, {"error": "this version of taskcfg has no metrics"})
        case _:
            return Answer(404, {"error": "there are `/livez` and `/readyz`"})


class Probes:
    """Listens on *host* and *port* from its making until it is closed; *port* 0 is any free one."""

    def __init__(self, host: str, port: int, vitals: Callable[[], Vitals]) -> None:
        """Raises TaskcfgError where it cannot listen."""
        try:
            self._server = _Server(host, port, vitals)
        except (OSError, OverflowError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise TaskcfgError(
                f"cannot listen on {_place(host, port)}: {said}",
                hint=TAKEN if getattr(error, "errno", None) == errno.EADDRINUSE else NOWHERE,
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="probes", kwargs={"poll_interval": 0.2}, daemon=True
        )
        self._thread.start()
        logger.info("probes.started address=%s", _place(host, self.port))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, vitals: Callable[[], Vitals]) -> None:
        self.vitals = vitals
        self.places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Conversation)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self.places.acquire(blocking=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing on stderr: a client that went away is no news."""
        logger.debug("probes.failed", exc_info=True)


class _Conversation(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        try:
            found, head = self._answer()
            self.request.settimeout(PATIENCE)
            self.request.sendall(found.octets(head=head))
            self._hear_out()
        except OSError:
            return  # the client went away, or does not read
        finally:
            self.server.places.release()

    def _hear_out(self) -> None:
        """Read what is still under way: a connection closed over unread bytes takes the answer with it."""
        self.request.shutdown(socket.SHUT_WR)
        self.request.settimeout(LAST_WORDS)
        left = LONGEST_REQUEST
        while left > 0 and (octets := self.request.recv(left)):
            left -= len(octets)

    def _answer(self) -> tuple[Answer, bool]:
        clock = SystemClock()
        deadline = clock.monotonic() + PATIENCE
        request = b""
        while b"\r\n\r\n" not in request and b"\n\n" not in request:
            if len(request) >= LONGEST_REQUEST:
                return Answer(431, {"error": f"a request has at most {LONGEST_REQUEST} bytes"}), False
            left = deadline - clock.monotonic()
            if left <= 0:
                return Answer(408, {"error": "the request took too long"}), False
            self.request.settimeout(left)
            try:
                octets = self.request.recv(LONGEST_REQUEST - len(request))
            except TimeoutError:
                continue
            if not octets:
                return Answer(400, {"error": "the request is not whole"}), False
            request += octets
        return answer(request, self.server.vitals)


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
