"""Ask a database of known vulnerabilities (osv.dev) about every package of the lock files, with pip-audit.

Exit code: 1 if one is vulnerable. Otherwise 0, also where the database cannot be reached, which the output
says.
"""

import json
import subprocess
import sys
from pathlib import Path

from stages.common import command

OTHER_LOCKS = ("requirements-cuda.lock", "tools/benchmarks/pytorch.lock", "tests/quality.lock")
LOCKS = tuple(map(Path, ("requirements.lock", *OTHER_LOCKS)))


def main(database: str | None) -> int:
    """Print the known vulnerabilities of each lock file, and return the exit code."""
    return max(audit(lock, database) for lock in LOCKS)


def audit(lock: Path, database: str | None) -> int:
    """Print the known vulnerabilities of one lock file, and return the exit code."""
    completed = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pip_audit",
                "--requirement",
                str(lock),
                "--require-hashes",
                "--disable-pip",
            ),
            *("--format", "json", "--progress-spinner", "off", "--vulnerability-service", "osv"),
            *(["--osv-url", database] if database else []),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages = json.loads(completed.stdout)["dependencies"]
    except ValueError:
        print(
            f"{lock}: NOT CHECKED: {(completed.stderr.strip() or 'pip-audit said nothing').splitlines()[-1]}"
        )
        return 0
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            fixes = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            print(f"{lock}: {package['name']} {package['version']}: {vulnerability['id']}, mended in {fixes}")
    print(f"{lock}: {len(packages)} packages checked, {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.verify.audit", description=__doc__)
    parser.add_argument("--database", metavar="URL", help="another one than osv.dev, with the same interface")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.database))
