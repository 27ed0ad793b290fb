"""What a forge is to its pipelines: an API of comments, as GitHub's and GitLab's, and a runner of scripts."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROBOT, SOMEBODY = "robot", "somebody"
PATHS = (
    re.compile(r"/repos/shop/tasks/issues/(?P<request>\d+)/comments"),
    re.compile(r"/repos/shop/tasks/issues/comments/(?P<id>\d+)"),
    re.compile(r"/projects/7/merge_requests/(?P<request>\d+)/notes(/(?P<id>\d+))?"),
    re.compile(r"/(?P<user>user)"),
)


@dataclass
class Comment:
    """One comment on pull request `request`."""

    id: int
    request: int
    body: str
    author: str = ROBOT

    def document(self) -> dict[str, Any]:
        """Return it with the keys of both forges."""
        kind = "Bot" if self.author == ROBOT else "User"
        person = {"type": kind, "login": self.author, "username": self.author}
        return {"id": self.id, "body": self.body, "user": person, "author": person}


@dataclass
class Forge:
    """The comments there are, and what was asked: `POST`, `PATCH` or `PUT`."""

    url: str = ""
    comments: list[Comment] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, token: str | None, document: Any) -> Any:
        """Return what the API says, None where it knows no such thing."""
        address = urlsplit(path)
        found = next((m for pattern in PATHS if (m := pattern.fullmatch(address.path))), None)
        if found is None or token is None:
            return None
        asked = found.groupdict()
        if asked.get("user"):
            return {"username": ROBOT}
        if method == "GET":
            query = {name: int(values[0]) for name, values in parse_qs(address.query).items()}
            here = [each for each in self.comments if each.request == int(asked["request"])]
            start = (query["page"] - 1) * query["per_page"]
            return [each.document() for each in here[start : start + query["per_page"]]]
        self.writes.append(method)
        if method == "POST":
            comment = Comment(len(self.comments) + 1, int(asked["request"]), document["body"])
            self.comments.append(comment)
        else:
            (comment,) = [each for each in self.comments if each.id == int(asked["id"])]
            assert comment.author == ROBOT
            comment.body = document["body"]
        return comment.document()


@contextmanager
def open_forge() -> Iterator[Forge]:
    """A forge that answers until the block ends."""
    forge = Forge()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            document = json.loads(self.rfile.read(length)) if length else None
            token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN")
            found = forge.answer(self.command, self.path, token, document)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_POST = do_PATCH = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        forge.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield forge
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Ran:
    """A script that a runner ran."""

    script: str
    code: int
    out: str
    err: str


def run_script(script: str, folder: Path, environment: Mapping[str, str], *options: str) -> Ran:
    """Run *script* as a runner does: in a bash with *options*, in a file of its own."""
    file = folder.parent / "script.sh"
    file.write_text(script)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", *options, str(file)],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(script, done.returncode, done.stdout, done.stderr)
