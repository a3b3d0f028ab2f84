"""The lock files are asked about, answers are believed, and silence is not taken for safety."""

import http.server
import json
import re
import sys
from collections.abc import Callable

from helpers import ROOT, Project
from servers import Server, missing, send

from tools.verify.audit import LOCKS

VULNERABLE = "numpy"


def database(request: http.server.BaseHTTPRequestHandler) -> None:
    """Answer as osv.dev does, and know of one vulnerability in any version of one package."""
    asked = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
    affected = {
        "package": {"name": VULNERABLE, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
    }
    known = {"id": "PYSEC-2026-1", "affected": [affected], "summary": "s", "details": "d"}
    vulnerable = asked["package"]["name"] == VULNERABLE
    send(request, json.dumps({"vulns": [known]} if vulnerable else {}).encode())


def test_a_vulnerable_package_is_named_and_fails(serve: Callable[..., Server]) -> None:
    server = serve(database)
    done = Project(ROOT).run(sys.executable, "-m", "tools.verify.audit", "--database", server.url, expect=1)
    pinned = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    version = dict(pinned)[VULNERABLE]
    assert f"requirements.lock: {VULNERABLE} {version}: PYSEC-2026-1, mended in 99.0\n" in done.stdout
    (checked,) = re.findall(r"requirements.lock: (\d+) packages checked, 1 vulnerable", done.stdout)
    assert 100 < int(checked) <= len(pinned)  # all those for this system
    assert "NOT CHECKED" not in done.stdout
    assert len(server.requests) > int(checked)


def test_a_database_that_is_down_is_not_a_clean_bill(serve: Callable[..., Server]) -> None:
    for url in (serve(missing).url, "http://127.0.0.1:9"):
        done = Project(ROOT).run(sys.executable, "-m", "tools.verify.audit", "--database", url)
        assert done.stdout.count("NOT CHECKED: ") == len(LOCKS)
        assert "checked, 0 vulnerable" not in done.stdout
