"""Post review/report.md as a comment on its pull request, or update the comment of an earlier push.

A GitHub workflow runs this command after the review, also after a review that failed. It needs no packages.
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
MARK = "<!-- make review -->"  # identifies the comment of an earlier push
AUTHOR = "github-actions[bot]"  # the owner of the workflow's token
# GitHub notifies an account after an at sign, written as itself or as an HTML entity. A space of no width
# after the sign prevents that.
MENTION = re.compile(r"@|&(?:#0*64|#x0*40|commat);?", re.IGNORECASE)
MOST_CHARACTERS = 60_000  # GitHub accepts 65,536
COMMENTS_PER_PAGE = 100
TIMEOUT_SECONDS = 30


def main() -> None:
    """Find the pull request of the reviewed commit, and post or update the comment."""
    event = json.loads(Path(_read_variable("GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))["workflow_run"]
    if event["head_repository"] is None:
        print("the fork has been deleted: nothing to post")
        return
    repository = f"/repos/{_read_variable('GITHUB_REPOSITORY')}"
    # The report is no source for the branch: the code of the pull request wrote the report.
    branch = f"{event['head_repository']['owner']['login']}:{event['head_branch']}"
    head = urllib.parse.quote(branch, safe="")
    pulls = [
        pull
        for pull in request("GET", f"{repository}/pulls?state=open&head={head}")
        if pull["head"]["sha"] == event["head_sha"]
    ]
    if not pulls:
        print(f"{branch}: no open pull request is at {event['head_sha']} any more: nothing to post")
        return
    report = REPORT.read_text(encoding="utf-8", errors="replace") if REPORT.is_file() else None
    for pull in pulls:
        number = pull["number"]
        body = {"body": build_comment(report, event, pull["base"]["ref"])}
        earlier = find_comment(f"{repository}/issues/{number}/comments")
        if earlier is None:
            request("POST", f"{repository}/issues/{number}/comments", body)
        else:
            request("PATCH", f"{repository}/issues/comments/{earlier}", body)
        print(f"pull request {number}: {'posted' if earlier is None else 'updated'}")


def build_comment(report: str | None, event: dict[str, Any], base: str) -> str:
    """Return the comment: the reviewed commit and the report, shortened to GitHub's limit, without mentions.

    Args:
        report: the report, as the code of the pull request wrote it: any text; None if the review failed.
        event: the run of the review, as GitHub describes it.
        base: the branch that the pull request is to be merged into.
    """
    head = f"{MARK}\nReview of {event['head_sha'][:7]}, merged into the tip of `{base}` (HEAD^1)"
    if report is None:
        return (
            f"{head}: **the review failed** before it wrote a report. See [the run]({event['html_url']}).\n"
        )
    silent = MENTION.sub("@\u200b", report)
    if len(silent) > MOST_CHARACTERS:
        silent = f"{silent[:MOST_CHARACTERS]}\n\n(The rest is in the page.)\n"
    return (
        f"{head}, as the code of the pull request reports it. The run has [the page with the pictures]"
        f"({event['html_url']}#artifacts).\n\n---\n\n{silent}"
    )


def find_comment(path: str) -> int | None:
    """Return the number of the first comment that this command has posted, or None."""
    page = 1
    while comments := request("GET", f"{path}?per_page={COMMENTS_PER_PAGE}&page={page}"):
        for comment in comments:
            if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARK):
                return int(comment["id"])
        page += 1
    return None


def request(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Send a request to GitHub's REST API, and return the parsed answer."""
    message = urllib.request.Request(  # noqa: S310 - the address is GitHub's own variable
        _read_variable("GITHUB_API_URL") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {_read_variable('GITHUB_TOKEN')}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(message, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
        return json.load(answer)


def _read_variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise UserError(f"{name}: expected to be set, as in a GitHub workflow, found nothing") from None


if __name__ == "__main__":
    command.finish(main)
