"""Repositories to follow, and a web server that serves them as a forge does: git's own http-backend."""

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Repository:
    """A repository in *folder* with a branch `main`, which Ann writes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        for name, value in (
            ("user.name", "Ann"),
            ("user.email", "ann@example.org"),
            ("http.receivepack", "false"),
            ("uploadpack.allowAnySHA1InWant", "true"),
        ):
            self.git("config", name, value)

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *words: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", str(self.folder), *words], check=True, capture_output=True, text=True, env=env
        )
        return done.stdout.strip()

    def commit(self, subject: str, files: dict[str, str | None]) -> str:
        """Write *files* (None: delete), commit, and return the commit's id."""
        for name, text in files.items():
            file = self.folder / name
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def declare(
        self, *names: str, cron: str = "0 2 * * *", subject: str = "Tasks", file: str = "a.yaml"
    ) -> str:
        """Commit tasks, all alike, as the only ones in *file*."""
        return self.commit(subject, {f"tasks.d/{file}": tasks(*names, cron=cron)})


def tasks(*names: str, cron: str = "0 2 * * *") -> str:
    each = (
        f'  {name}: {{type: cleanup, schedule: {{cron: "{cron}"}},'
        f" params: {{target: execution_history, older_than: 30d}}}}\n"
        for name in names
    )
    return "tasks:\n" + "".join(each) if names else "tasks: {}\n"


class GitServer:
    """Serves *repository* over HTTP to whoever says *user* and *password*.

    While `hold` is not set, answers to a fetch stop half way; while `down` is set, every connection is cut.
    """

    def __init__(self, repository: Repository, user: str, password: str) -> None:
        self.repository = repository
        self.allowed = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.go = threading.Event()
        self.go.set()
        self.holding = threading.Event()
        self.down = False
        self.fetches = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.serve(self)

            def do_POST(self) -> None:
                server.serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._http.server_port}"

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        if self.down:
            request.connection.close()
            return
        if request.headers.get("Authorization") != self.allowed:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        status, headers, body = self._answer(request)
        fetch = request.command == "POST" and b"packfile" in body
        self.fetches += fetch
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        half = len(body) // 2
        request.wfile.write(body[:half])
        if fetch and not self.go.is_set():
            self.holding.set()
            self.go.wait(60)
        request.wfile.write(body[half:])

    def close(self) -> None:
        self.go.set()
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> tuple[int, list[tuple[str, str]], bytes]:
        path, _, query = request.path.partition("?")
        sent = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.repository.folder),
            "GIT_PROJECT_ROOT": str(self.repository.folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(sent)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=sent, capture_output=True, env=env, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        return status, [(name, value) for name, value in headers if name != "Status"], body
