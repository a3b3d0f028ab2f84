"""Post review/report.md as a comment on its pull request, in place of the one of an earlier push.

Runs in a GitHub workflow that follows the review's, also after one that broke off; needs nothing but Python.
"""

import json
import os
import re
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from stages.common import command
from stages.common.errors import UserError

REPORT = Path("review/report.md")
MARK = "<!-- make review -->"  # by which the comment is found again
AUTHOR = "github-actions[bot]"  # whose token the workflow has
# A space of no width behind it keeps GitHub from calling an account, however the sign is written.
MENTION = re.compile(r"@|&(?:#0*64|#x0*40|commat);?", re.IGNORECASE)
LONGEST = 60_000  # characters; GitHub takes 65,536
PER_PAGE = 100
TIMEOUT = 30  # seconds


def main() -> None:
    """Find the pull request whose commit was reviewed, and its comment, and write it."""
    event = json.loads(Path(_variable("GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))["workflow_run"]
    if event["head_repository"] is None:
        print("the fork is no more: nothing to post")
        return
    repository = f"/repos/{_variable('GITHUB_REPOSITORY')}"
    # Not from the report, which the code of the pull request wrote.
    branch = f"{event['head_repository']['owner']['login']}:{event['head_branch']}"
    pulls = [
        pull
        for pull in call("GET", f"{repository}/pulls?state=open&head={urllib.parse.quote(branch, safe='')}")
        if pull["head"]["sha"] == event["head_sha"]
    ]
    if not pulls:
        print(f"{branch}: no open pull request is at {event['head_sha']} any more: nothing to post")
        return
    report = REPORT.read_text(encoding="utf-8", errors="replace") if REPORT.is_file() else None
    for pull in pulls:
        number = pull["number"]
        body = {"body": text(report, event, pull["base"]["ref"])}
        posted = earlier_comment(f"{repository}/issues/{number}/comments")
        if posted is None:
            call("POST", f"{repository}/issues/{number}/comments", body)
        else:
            call("PATCH", f"{repository}/issues/comments/{posted}", body)
        print(f"pull request {number}: {'posted' if posted is None else 'updated'}")


def text(report: str | None, event: dict[str, Any], base: str) -> str:
    """The comment: what was reviewed, and the report, which is cut to what GitHub takes and mentions nobody.

    Args:
        report: what the code of the pull request wrote, be it anything; None if it broke off before.
        event: the run of the review, as GitHub describes it.
        base: the branch that the pull request is to be merged into.
    """
    head = f"{MARK}\nReview of {event['head_sha'][:7]}, merged into the tip of `{base}` (HEAD^1)"
    if report is None:
        return (
            f"{head}: **it broke off** before there was a report. [The run]({event['html_url']}) says why.\n"
        )
    silent = MENTION.sub("@\u200b", report)
    if len(silent) > LONGEST:
        silent = f"{silent[:LONGEST]}\n\n(The rest is in the page.)\n"
    return (
        f"{head}, as its own code reports it. [The page with the pictures]({event['html_url']}#artifacts) is "
        f"attached to the run.\n\n---\n\n{silent}"
    )


def earlier_comment(path: str) -> int | None:
    """The number of the first comment that this program has posted."""
    page = 1
    while comments := call("GET", f"{path}?per_page={PER_PAGE}&page={page}"):
        for comment in comments:
            if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARK):
                return int(comment["id"])
        page += 1
    return None


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask GitHub's REST API, and return its answer."""
    request = urllib.request.Request(  # noqa: S310 - the address is GitHub's own variable
        _variable("GITHUB_API_URL") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {_variable('GITHUB_TOKEN')}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
        return json.load(answer)


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise UserError(f"{name}: expected to be set, as in a GitHub workflow, found nothing") from None


if __name__ == "__main__":
    command.finish(main)
