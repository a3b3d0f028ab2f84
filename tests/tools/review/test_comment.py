"""The comment on a pull request, posted and updated through a server that answers like GitHub's."""

import html
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from helpers import ROOT, Project

SHA = "1f" * 20
TOKEN = "a-token"
RUN = "https://example.org/runs/1"
FORK = {"owner": {"login": "stranger"}}
OURS = {"login": "github-actions[bot]"}


class Host(ThreadingHTTPServer):
    """Pull requests and comments of a repository, behind the part of the REST API that the command uses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pulls: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {7: []}
        self.requests: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Host

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def handle_request(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.requests.append(f"{self.command} {address.path}")
        match [self.command, *address.path.strip("/").split("/")]:
            case _ if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.answer(401, {"message": "Bad credentials"})
            case ["GET", "repos", "team", "project", "pulls"]:
                state, head = query["state"], query["head"]
                pulls = [pull for pull in self.server.pulls if pull["label"] == head and state == "open"]
                self.answer(200, pulls)
            case ["GET", "repos", "team", "project", "issues", number, "comments"]:
                first = (int(query["page"]) - 1) * int(query["per_page"])
                comments = self.server.comments[int(number)]
                self.answer(200, comments[first : first + int(query["per_page"])])
            case ["POST", "repos", "team", "project", "issues", number, "comments"]:
                comments = self.server.comments[int(number)]
                comments.append({"id": 1000 + len(comments), "user": OURS, **self.body()})
                self.answer(201, comments[-1])
            case ["PATCH", "repos", "team", "project", "issues", "comments", identity]:
                comments = [comment for pull in self.server.comments.values() for comment in pull]
                (comment,) = (comment for comment in comments if comment["id"] == int(identity))
                comment.update(self.body())
                self.answer(200, comment)
            case _:
                self.answer(404, {"message": "Not Found"})

    do_GET = do_POST = do_PATCH = handle_request  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        pull = {"number": 7, "label": "stranger:fix/a b", "head": {"sha": SHA}, "base": {"ref": "main"}}
        server.pulls = [pull]
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    """The folder of the workflow: the files of the default branch and a report, without an environment."""
    for name in ("Makefile", "stages", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "review").mkdir()
    (tmp_path / "review/report.md").write_text("# main → workspace\n\nThanks @everyone\n", encoding="utf-8")
    return Project(tmp_path)


def post(
    checkout: Project, host: Host, expect: int = 0, token: str = TOKEN, fork: object = FORK
) -> tuple[str, str]:
    run = {"head_sha": SHA, "head_branch": "fix/a b", "head_repository": fork, "html_url": RUN}
    event = {"workflow_run": run}
    (checkout.folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    completed = checkout.run(
        "make",
        "comment",
        f"PYTHON={sys.executable} -S",  # without site-packages
        expect=expect,
        GITHUB_EVENT_PATH=str(checkout.folder / "event.json"),
        GITHUB_REPOSITORY="team/project",
        GITHUB_API_URL=f"http://127.0.0.1:{host.server_port}",
        GITHUB_TOKEN=token,
    )
    return completed.stdout, completed.stderr


def test_a_first_push_posts_and_a_later_one_updates(checkout: Project, host: Host) -> None:
    host.comments[7] = [{"id": 1, "user": {"login": "someone"}, "body": "<!-- make review --> not ours"}]
    post(checkout, host)
    assert len(host.comments[7]) == 2
    body = host.comments[7][1]["body"]
    assert body.startswith(
        "<!-- make review -->\nReview of 1f1f1f1, merged into the tip of `main` (HEAD^1), "
    )
    assert body.endswith("\n\n---\n\n# main → workspace\n\nThanks @\u200beveryone\n")
    assert f"{RUN}#artifacts" in body

    (checkout.folder / "review/report.md").write_text("Another\n", encoding="utf-8")
    post(checkout, host)
    assert len(host.comments[7]) == 2
    assert "Another" in host.comments[7][1]["body"]
    assert host.comments[7][0]["body"].endswith("not ours")


def test_a_comment_behind_a_hundred_others_is_found(checkout: Project, host: Host) -> None:
    others = [{"id": number, "user": {"login": "someone"}, "body": "so"} for number in range(130)]
    host.comments[7] = [*others, {"id": 500, "user": OURS, "body": "<!-- make review -->\nold"}]
    post(checkout, host)
    assert len(host.comments[7]) == 131
    assert "main → workspace" in host.comments[7][130]["body"]


@pytest.mark.parametrize("sign", ["@", "&#64;", "&#0064", "&#x40;", "&#X40;", "&commat;"])
def test_nobody_is_mentioned(checkout: Project, host: Host, sign: str) -> None:
    (checkout.folder / "review/report.md").write_text(f"{sign}everyone", encoding="utf-8")
    post(checkout, host)
    body = html.unescape(host.comments[7][0]["body"])  # as GitHub does before it looks for accounts
    assert "@" in body
    assert re.search(r"@(?!\u200b)", body) is None


def test_a_long_report_is_cut_to_the_limit(checkout: Project, host: Host) -> None:
    (checkout.folder / "review/report.md").write_text("@everyone" * 10_000, encoding="utf-8")
    post(checkout, host)
    body = host.comments[7][0]["body"]
    assert len(body) < 65_536
    assert "The rest is in the page" in body


def test_a_commit_that_a_later_push_has_replaced_is_not_posted(checkout: Project, host: Host) -> None:
    host.pulls[0]["head"]["sha"] = "2e" * 20
    assert "nothing to post" in post(checkout, host)[0]
    assert host.comments[7] == []


def test_the_comment_of_a_failed_review_replaces_an_earlier_report(checkout: Project, host: Host) -> None:
    post(checkout, host)
    (checkout.folder / "review/report.md").unlink()
    post(checkout, host)
    (comment,) = host.comments[7]
    assert "**the review failed**" in comment["body"]
    assert RUN in comment["body"]
    assert "main → workspace" not in comment["body"]


def test_for_a_deleted_fork_nothing_is_posted(checkout: Project, host: Host) -> None:
    assert "nothing to post" in post(checkout, host, fork=None)[0]
    assert host.requests == []


def test_a_refused_token_is_one_line(checkout: Project, host: Host) -> None:
    _, error = post(checkout, host, expect=2, token="another")
    assert error.splitlines()[0] == "error: HTTP Error 401: Unauthorized"
    assert "Traceback" not in error


def test_outside_of_a_workflow_the_missing_variable_is_named(checkout: Project) -> None:
    error = checkout.here("tools.review.comment", expect=2, GITHUB_EVENT_PATH=None).stderr
    assert error == "error: GITHUB_EVENT_PATH: expected to be set, as in a GitHub workflow, found nothing\n"
