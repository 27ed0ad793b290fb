"""Puts a plan on its pull request (GitHub) or merge request (GitLab): one comment, which every push replaces.

    taskcfg plan --format markdown > plan.md
    python ci/comment.py plan.md

The comment is found again by its first line, which nobody sees, and only among those of the same author.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PAGE = 100


def main(file: str) -> None:
    body = Path(file).read_text(encoding="utf-8")
    marker = body.splitlines()[0]
    comments, edit, headers, is_ours = on_gitlab() if "GITLAB_CI" in os.environ else on_github()
    for comment in everything(comments, headers):
        if is_ours(comment) and comment["body"].startswith(marker):
            method, address = edit
            ask(method, f"{address}/{comment['id']}", headers, {"body": body})
            return
    ask("POST", comments, headers, {"body": body})


Place = tuple[str, tuple[str, str], dict[str, str], Callable[[Any], bool]]
"""Where the comments are, how one is edited, what says who we are, and which comments are ours."""


def on_github() -> Place:
    issues = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/issues"
    headers = {
        "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        "Accept": "application/vnd.github+json",
    }
    comments = f"{issues}/{os.environ['PULL_REQUEST']}/comments"
    return (
        comments,
        ("PATCH", f"{issues}/comments"),
        headers,
        lambda comment: comment["user"]["type"] == "Bot",
    )


def on_gitlab() -> Place:
    api, project = os.environ["CI_API_V4_URL"], os.environ["CI_PROJECT_ID"]
    headers = {"PRIVATE-TOKEN": os.environ["NOTES_TOKEN"]}
    me = ask("GET", f"{api}/user", headers)["username"]
    notes = f"{api}/projects/{project}/merge_requests/{os.environ['CI_MERGE_REQUEST_IID']}/notes"
    return notes, ("PUT", notes), headers, lambda note: note["author"]["username"] == me


def everything(address: str, headers: dict[str, str]) -> Iterator[Any]:
    page: list[Any] = []
    number = 1
    while number == 1 or len(page) == PAGE:
        page = ask("GET", f"{address}?per_page={PAGE}&page={number}", headers)
        yield from page
        number += 1


def ask(method: str, address: str, headers: dict[str, str], document: Any = None) -> Any:
    content = None if document is None else json.dumps(document).encode()
    request = Request(address, content, {**headers, "Content-Type": "application/json"}, method=method)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(sys.argv[1])
