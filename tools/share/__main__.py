"""Copy data and models to a DVC remote, for dvc pull: python -m tools.share s3://bucket/project."""

from stages.common import addresses, command
from stages.common.errors import UserError
from tools.common import dvc, git

NAME = "storage"
CONFIG = ".dvc/config"


def share(remote: str) -> int:
    """Name a remote in DVC's configuration, copy everything to it, and return the exit code.

    Args:
        remote: a folder or an address. It may have the name of a user, as ssh:// needs, but nothing secret:
            git keeps the configuration.

    Raises:
        UserError: if the remote has a secret, or if DVC does not know its kind.
    """
    secret = addresses.find_secret(remote)
    if secret not in (None, addresses.NAME):
        raise UserError(
            f"REMOTE: expected no secret in an address, which git keeps, found {secret}; leave it out, tell "
            f"it to DVC alone with dvc remote modify --local {NAME} password, then make share again"
        )
    try:
        dvc.run("remote", "modify", NAME, "url", remote)
    except UserError:  # there is none of that name
        dvc.run("remote", "add", "--default", NAME, remote)
    if code := dvc.run_visibly("push"):
        return code
    if git.run("status", "--porcelain", "--", CONFIG):
        print(f"Next: commit {CONFIG}, which has the address, for dvc pull of others")
    return 0


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.share", description=__doc__)
    parser.add_argument("remote", help="a folder, s3://bucket/project or ssh://host/folder")
    arguments = parser.parse_args()
    command.finish(lambda: share(arguments.remote))
