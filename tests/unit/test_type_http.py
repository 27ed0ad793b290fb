"""The type `http`, against a real server: the expected answer succeeds, any other fails and says why."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from taskcfg.types.http import EXCERPT, HttpParams, NoAnswer, UnexpectedAnswer, http


class Server(ThreadingHTTPServer):
    """Answers with the status its path names, remembers what it was asked, echoes the body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(
            {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
        )
        status = int(self.path.strip("/").partition("?")[0].partition("/")[0])
        if self.path.startswith("/200/slow"):
            self.server.released.wait(30)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        text = f"{status} asked by {self.headers.get('Authorization')} with {body.decode()} at {self.path}"
        self.send_header("Content-Length", "0" if self.command == "HEAD" else str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_HEAD = do_PUT = answer  # the names that http.server calls

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def request(url: str, **params: Any) -> dict[str, float]:
    return http(HttpParams.model_validate({"url": url, **params}))


def test_a_good_answer_is_measured(server: Server) -> None:
    result = request(f"{server.url}/200")

    assert result["status"] == 200
    assert result["bytes"] == len("200 asked by None with  at /200")
    assert 0 <= result["seconds"] < 30
    assert json.loads(json.dumps(result)) == result


def test_everything_asked_for_arrives(server: Server) -> None:
    request(
        f"{server.url}/201?lang=de",
        method="post",
        headers={"X-Trace": "7"},
        query={"page": 2, "full": True, "q": "a b"},
        json={"number": 1},
        expect_status=[200, 201],
    )
    request(f"{server.url}/200", method="PUT", body="plain é")

    first, second = server.asked
    assert (first["method"], first["path"]) == ("POST", "/201?lang=de&page=2&full=true&q=a+b")
    assert first["headers"]["X-Trace"] == "7"
    assert json.loads(first["body"]) == {"number": 1}
    assert second["body"] == "plain é".encode()


@pytest.mark.parametrize("status", [404, 500, 302, 201])
def test_any_status_that_is_not_expected_fails(server: Server, status: int) -> None:
    with pytest.raises(
        UnexpectedAnswer, match=f"GET {server.url}/{status} answered {status}: {status} asked"
    ):
        request(f"{server.url}/{status}", expect_status=200)


def test_redirects_are_followed_only_where_told(server: Server) -> None:
    with pytest.raises(UnexpectedAnswer, match="answered 302"):
        request(f"{server.url}/302")

    assert request(f"{server.url}/302", follow_redirects=True)["status"] == 200
    assert request(f"{server.url}/302", expect_status=302)["status"] == 302


def test_an_error_quotes_little_and_no_credentials(server: Server) -> None:
    url = server.url.replace("//", "//user:hunter22@") + "/500?token=s3cr3t"

    with pytest.raises(UnexpectedAnswer) as raised:
        request(url, headers={"Authorization": "Bearer t0p-s3cr3t"}, body="x" * 1000, method="POST")

    text = str(raised.value)
    assert text.startswith(f"POST {server.url}/500 answered 500: 500 asked by Basic ***")
    assert len(text) < EXCERPT + 100
    assert not any(secret in text for secret in ("hunter22", "s3cr3t", "user:"))
    assert raised.value.__cause__ is None


def test_no_answer_says_whom_was_asked_and_why_there_is_none(server: Server) -> None:
    with pytest.raises(NoAnswer, match=f"GET {server.url}/200/slow: ReadTimeout"):
        request(f"{server.url}/200/slow", timeout="0.2s")
    with pytest.raises(NoAnswer, match=r"GET http://127\.0\.0\.1:1/x: ConnectError") as raised:
        request("http://user:hunter22@127.0.0.1:1/x?token=s3cr3t")

    assert "hunter22" not in str(raised.value) and "s3cr3t" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "params",
    [
        *(
            {"url": url}
            for url in ("", "example.org", "ftp://x", "file:///etc/passwd", "http://", "http://[", "//x")
        ),
        *({"url": url} for url in ("http://a b", "http://x:99999/", "javascript:alert(1)")),
        {"url": "http://x", "method": "FETCH"},
        {"url": "http://x", "json": {}, "body": ""},
        {"url": "http://x", "expect_status": 99},
        {"url": "http://x", "expect_status": [200, 600]},
        {"url": "http://x", "timeout": 0},
        {"url": "http://x", "headers": {"A": 1}},
        {"url": "http://x", "json_body": 1},
    ],
)
def test_params_that_cannot_work_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpParams.model_validate(params)


def test_params_are_stored_under_the_names_they_are_written_with() -> None:
    stored = HttpParams.model_validate({"url": "https://x", "json": [1], "expect_status": 204}).model_dump(
        mode="json"
    )

    assert stored["json"] == [1] and stored["expect_status"] == [204] and stored["timeout"] == 30
    assert HttpParams.model_validate(stored).model_dump(mode="json") == stored


def test_a_url_with_a_secret_is_looked_at_on_the_worker() -> None:
    assert HttpParams(url="${secret:WEBHOOK}").url == "${secret:WEBHOOK}"
    assert HttpParams(url="https://host:${secret:PORT}/").url.startswith("https://host:")
    with pytest.raises(ValidationError) as caught:
        HttpParams(url="no-url-and-hunter2x")
    assert "hunter2x" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("headers", {"X Y": "a"}, "a header's name has letters, digits and `-`"),
        ("headers", {"": "a"}, "a header's name has letters, digits and `-`"),
        ("headers", {"X-A": "a\nX-B: b"}, "`X-A` must be one line of printable ASCII"),
        ("headers", {"X-A": "caf\u00e9"}, "`X-A` must be one line of printable ASCII"),
        ("headers", {"X-A": " a"}, "`X-A` must be one line of printable ASCII"),
        ("expect_status", [], "expected at least one status; leave it out for any 2xx"),
    ],
)
def test_what_could_never_be_sent_or_answered_is_refused_before_the_run(
    field: str, value: Any, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        HttpParams.model_validate({"url": "https://example.org/", field: value})


def test_headers_may_be_empty_hold_spaces_and_refer_to_secrets() -> None:
    headers = {"X-Empty": "", "Accept": "text/html; q=1", "Authorization": "Bearer ${secret:TOKEN}"}

    params = HttpParams.model_validate({"url": "https://example.org/", "headers": headers})

    assert params.headers == headers
