"""Copy data and models to a DVC remote, for dvc pull: python -m tools.share s3://bucket/project."""

from stages.common import addresses, command
from stages.common.errors import UserError
from tools.common import dvc, git

NAME = "storage"
CONFIG = ".dvc/config"
WITH_USERS = ("ssh://", "hdfs://")  # addresses in which the name of a user is no secret


def share(remote: str) -> int:
    """Name a remote in DVC's configuration, copy everything to it, and return the exit code.

    Args:
        remote: a folder or an address, without a secret: git keeps the configuration.

    Raises:
        UserError: if the remote has a secret, or if DVC does not know its kind.
    """
    secret = addresses.find_secret(remote)
    if secret and not (secret == addresses.NAME and remote.startswith(WITH_USERS)):
        raise UserError(
            f"REMOTE: expected no secret in an address, which git keeps, found {secret}; leave it out, and "
            "give it to DVC as docs/sharing.md says"
        )
    names = [line.split()[0] for line in dvc.run("remote", "list", "--project").splitlines()]
    if NAME in names:
        dvc.run("remote", "modify", "--project", NAME, "url", remote)
    else:
        dvc.run("remote", "add", "--project", "--default", NAME, remote)
    if code := dvc.run_visibly("push", "--remote", NAME):
        return code
    if git.run("status", "--porcelain", "--", CONFIG):
        print(f"Next: commit {CONFIG}, which has the address, for dvc pull of others")
    return 0


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.share", description=__doc__)
    parser.add_argument("remote", help="a folder, s3://bucket/project or ssh://host/folder")
    arguments = parser.parse_args()
    command.finish(lambda: share(arguments.remote))
