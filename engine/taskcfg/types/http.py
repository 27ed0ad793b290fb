"""The type `http`: one request; any answer that is not expected fails the task."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from taskcfg.clock import SystemClock
from taskcfg.spec.secrets import secret_names
from taskcfg.types.declare import task_type
from taskcfg.types.params import Params

if TYPE_CHECKING:
    import httpx

EXCERPT = 200
"""How many bytes of an unexpected answer an error quotes."""


class UnexpectedAnswer(Exception):
    """The server answered, but not as expected."""


class NoAnswer(Exception):
    """The server could not be reached, or did not answer in full and in time."""


def _one_or_many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
AnyCase = Literal[Method, "get", "head", "post", "put", "patch", "delete", "options"]
Status = Annotated[int, Field(ge=100, le=599)]


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?")


class HttpParams(Params):
    """What to ask for, and which answers are good ones.

    `expect_status` is one status or a list; without it any 2xx will do. `timeout` bounds the
    whole exchange. Of `json` and `body` at most one is given.
    """

    url: str = Field(description="Where the request goes", examples=["https://example.org/path"])
    method: Annotated[Method, BeforeValidator(_upper, json_schema_input_type=AnyCase)] = Field(
        default="GET", description="The request's method"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of the request")
    query: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="What is added to the URL's query"
    )
    json_body: Any = Field(default=None, alias="json", description="The body, as JSON")
    body: str | None = Field(default=None, description="The body, as text")
    expect_status: (
        Annotated[list[Status], BeforeValidator(_one_or_many, json_schema_input_type=Status | list[Status])]
        | None
    ) = Field(default=None, description="The good status, or a list of them; without it any 2xx")
    follow_redirects: bool = Field(default=False, description="Whether the answer may come from elsewhere")
    timeout: timedelta = Field(
        default=timedelta(seconds=30), gt=timedelta(0), description="The bound of the whole exchange"
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if secret_names(url):
            return url  # whether it is one is known on the worker
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or any(character.isspace() for character in url):
            raise PydanticCustomError("url", "expected a URL such as `https://example.org/path`")
        return url

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            # A reference in a key is a problem of its own already.
            if "${" not in name and not _HEADER_NAME.fullmatch(name):
                raise PydanticCustomError("header", "a header's name has letters, digits and `-`")
            if not _HEADER_VALUE.fullmatch(value):
                raise PydanticCustomError(
                    "header",
                    "`{name}` must be one line of printable ASCII, without a space at its ends",
                    {"name": name},
                )
        return headers

    @field_validator("expect_status")
    @classmethod
    def _expects_something(cls, statuses: list[int] | None) -> list[int] | None:
        if statuses is not None and not statuses:
            raise PydanticCustomError("statuses", "expected at least one status; leave it out for any 2xx")
        return statuses

    @field_validator("body")
    @classmethod
    def _only_one(cls, body: str | None, info: ValidationInfo) -> str | None:
        if body is not None and info.data.get("json_body") is not None:
            raise PydanticCustomError("both", "`json` and `body` cannot stand together")
        return body

    def expects(self, status: int) -> bool:
        return status in self.expect_status if self.expect_status else 200 <= status < 300


@task_type("http")
def http(params: HttpParams) -> dict[str, float]:
    """Send one HTTP request and check the answer's status."""
    import httpx

    clock = SystemClock()
    start = clock.monotonic()
    try:
        with (
            httpx.Client(
                timeout=params.timeout.total_seconds(), follow_redirects=params.follow_redirects
            ) as client,
            client.stream(**_request(params)) as answer,
        ):
            size, excerpt = 0, b""
            for chunk in answer.iter_bytes():
                size += len(chunk)
                excerpt += chunk[: EXCERPT - len(excerpt)]
                if clock.monotonic() - start > params.timeout.total_seconds():
                    raise httpx.ReadTimeout("the answer took too long")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Its text and its chain can hold the URL with a password.
        raise NoAnswer(f"{_target(params)}: {_masked(params, _reason(error))}") from None
    if not params.expects(answer.status_code):
        quoted = _masked(params, " ".join(excerpt.decode(errors="replace").split()))
        raise UnexpectedAnswer(f"{_target(params)} answered {answer.status_code}: {quoted or '(empty)'}")
    return {"status": answer.status_code, "bytes": size, "seconds": round(clock.monotonic() - start, 3)}


def _request(params: HttpParams) -> dict[str, Any]:
    import httpx

    url = httpx.URL(params.url).copy_merge_params(params.query)
    request: dict[str, Any] = {"method": params.method, "url": url, "headers": params.headers}
    if params.json_body is not None:
        request["json"] = params.json_body
    if params.body is not None:
        request["content"] = params.body.encode()
    return request


def _reason(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _target(params: HttpParams) -> str:
    """Return method and URL without user, password and query."""
    parts = urlsplit(params.url)
    port = f":{parts.port}" if parts.port else ""
    return f"{params.method} {parts.scheme}://{parts.hostname}{port}{parts.path}"


def _masked(params: HttpParams, text: str) -> str:
    """Return *text* without whatever the request carried that may be a secret."""
    parts = urlsplit(params.url)
    login = b64encode(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()).decode()
    secrets = [login, parts.password, parts.username, parts.query]
    secrets += [*_values(dict(parse_qsl(parts.query))), *_values(params.headers), *_values(params.query)]
    for secret in sorted((secret for secret in secrets if secret and len(secret) > 3), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _values(mapping: Mapping[str, Any]) -> list[str]:
    """Return the values as text, and of `Bearer abc` also the `abc`."""
    return [part for value in mapping.values() for part in (str(value), str(value).rpartition(" ")[2])]
