"""Ask a database of known vulnerabilities (osv.dev) about every package of the lock files, with pip-audit.

Exit code: 1 if one is vulnerable. Otherwise 0, also where the database cannot be reached, which is said.
"""

import json
import subprocess
import sys
from pathlib import Path

from stages.common import command

LOCKS = tuple(map(Path, ("requirements.lock", "tools/benchmarks/pytorch.lock", "tests/quality.lock")))


def main(database: str | None) -> int:
    """Print what is known of each lock file, and return the exit code."""
    return max(audit(lock, database) for lock in LOCKS)


def audit(lock: Path, database: str | None) -> int:
    """Print what is known of one lock file, and return the exit code."""
    done = subprocess.run(
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
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"{lock}: NOT CHECKED: {(done.stderr.strip() or 'pip-audit said nothing').splitlines()[-1]}")
        return 0
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{lock}: {package['name']} {package['version']}: {found['id']}, mended in {mended}")
    print(f"{lock}: {len(packages)} packages checked, {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.verify.audit", description=__doc__)
    parser.add_argument("--database", metavar="URL", help="another one than osv.dev, with the same interface")
    given = parser.parse_args()
    command.finish(lambda: main(given.database))
