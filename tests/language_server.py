"""yaml-language-server, which many editors run, spoken to over its standard streams."""

import fcntl
import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from services.children import tied
from services.required import Missing

HERE = Path(__file__).parent
FOLDER = HERE.parent / "build" / "language-server"
PATIENCE = 60.0


def installed() -> Path:
    """Return the server's program, installed from the package registry where it is not there yet.

    Raises Missing where node, npm or the registry is not to be had.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Missing(f"no `{program}` on this machine")
    wanted = (HERE / "editor" / "package.json").read_text(encoding="utf-8")
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = FOLDER / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    done = FOLDER / "installed.json"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (done.exists() and done.read_text(encoding="utf-8") == wanted and program.exists()):
            (FOLDER / "package.json").write_text(wanted, encoding="utf-8")
            _install()
            done.write_text(wanted, encoding="utf-8")
    return program


def _install() -> None:
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    try:
        ended = subprocess.run(words, cwd=FOLDER, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise Missing("npm install did not end within 300 s") from None
    if ended.returncode:
        raise Missing(f"npm install failed: {' '.join(ended.stderr.split())[:300]}")


class LanguageServer:
    """A running server that knows one schema; use it as a context manager."""

    def __init__(self, program: Path, schema: Path) -> None:
        self._process = subprocess.Popen(
            tied(["node", str(program), "--stdio"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._settings = {
            "yaml": {
                "validate": True,
                "hover": True,
                "completion": True,
                "schemas": {schema.as_uri(): "*.yaml"},
                "schemaStore": {"enable": False},
            }
        }
        self._number = 0
        self._documents = 0
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        capabilities = {
            "textDocument": {"completion": {"completionItem": {"snippetSupport": True}}},
            "workspace": {"configuration": True},
        }
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": self._settings}})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def diagnostics(self, text: str) -> list[str]:
        """Return what an editor shows for *text*: `line:column: message`."""
        uri = self._open(text)
        message = self._wait(
            lambda found: (
                found.get("method") == "textDocument/publishDiagnostics" and found["params"]["uri"] == uri
            )
        )
        shown = []
        for each in message["params"]["diagnostics"]:
            start = each["range"]["start"]
            shown.append(f"{start['line'] + 1}:{start['character'] + 1}: {each['message']}")
        return shown

    def completions(self, text: str) -> list[str]:
        """Return what is offered where `|` stands in *text*."""
        answer = self._at("textDocument/completion", text)
        return [item["label"] for item in (answer or {"items": []})["items"]]

    def hover(self, text: str) -> str:
        """Return what is shown for the word in which `|` stands in *text*."""
        answer = self._at("textDocument/hover", text)
        return str(answer["contents"]["value"]) if answer else ""

    def _at(self, method: str, text: str) -> Any:
        before = text[: text.index("|")]
        uri = self._open(text.replace("|", "", 1))
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self._ask(method, {"textDocument": {"uri": uri}, "position": position})

    def _open(self, text: str) -> str:
        self._documents += 1
        uri = f"file:///project/tasks.d/{self._documents}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _ask(self, method: str, params: Any) -> Any:
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        return self._wait(lambda found: "method" not in found and found.get("id") == number)["result"]

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _wait(self, wanted: Any) -> dict[str, Any]:
        """Return the first message that is *wanted*; answer what the server asks meanwhile."""
        while True:
            message = self._answers.get(timeout=PATIENCE)
            if wanted(message):
                return message
            if "id" in message and "method" in message:
                self._send({"id": message["id"], "result": self._answer(message)})

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        return [self._settings.get(item.get("section")) for item in message["params"]["items"]]

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while line := stream.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                line = stream.readline()
            self._answers.put(json.loads(stream.read(length)))
