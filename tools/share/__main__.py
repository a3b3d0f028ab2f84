"""Copy data and models to a DVC remote, for dvc pull: python -m tools.share s3://bucket/project."""

from pathlib import Path

from stages import parameters
from stages.common import addresses, command, files
from stages.common.errors import UserError
from stages.common.wording import join_names
from tools.common import dvc, dvc_hashes, dvc_lock, git

NAME = "storage"
CONFIG = Path(".dvc/config")
WITH_USERS = ("ssh://", "hdfs://")  # addresses in which the name of a user is no secret


def share(remote: str) -> None:
    """Name a remote in DVC's configuration, and copy everything to it.

    After an error or an interrupt, the configuration is as it was.

    Args:
        remote: a folder or an address, without a secret: git keeps the configuration.

    Raises:
        UserError: if the remote has a secret, if DVC does not know its kind, or if DVC cannot copy all files.
    """
    secret = addresses.find_secret(remote)
    if secret and not (secret == addresses.NAME and remote.startswith(WITH_USERS)):
        raise UserError(
            f"REMOTE: expected no secret in an address, which git keeps, found {secret}; leave it out, and "
            "give it to DVC as docs/sharing.md says"
        )
    configuration = CONFIG.read_text(encoding="utf-8")
    names = [line.split()[0] for line in dvc.run("remote", "list", "--project").splitlines()]
    earlier = _read_address() if NAME in names else None
    try:
        if earlier is None:
            dvc.run("remote", "add", "--project", "--default", NAME, remote)
        else:
            dvc.run("remote", "modify", "--project", NAME, "url", remote)
        _push(remote)
    except BaseException:
        files.write_text(CONFIG, configuration)
        raise
    if missing := _list_missing():
        print(f"Not copied, since they are not here: {join_names(missing)}; dvc repro makes them")
    if git.run("status", "--porcelain", "--", str(CONFIG)):
        is_other = earlier not in (None, _read_address())
        note = f", no longer {addresses.hide_secrets(str(earlier))}" if is_other else ""
        print(f"Next: commit {CONFIG}, which has the address{note}, for dvc pull of others")


def _read_address() -> str:
    return dvc.run("config", "--project", f"remote.{NAME}.url").strip()


def _push(remote: str) -> None:
    if code := dvc.run_visibly("push", "--remote", NAME):
        raise UserError(
            f"{remote}: expected a remote that takes all files, found that dvc push ends with {code}, for "
            "the reason above; mend that, then run the same command again, which goes on where this one "
            f"stopped; {CONFIG} is as it was"
        )


def _list_missing() -> list[str]:
    """Return the outputs in dvc.lock that are neither in the working folder nor in DVC's cache."""
    cache = Path(dvc.run("cache", "dir").strip())
    stages = dvc_lock.parse(dvc_lock.read_text())
    return [
        path
        for name in parameters.load().datasets
        for path, digest in dvc_lock.collect_outputs(dvc_lock.read_stages(stages, name)).items()
        if not Path(path).exists() and not dvc_hashes.find_object(cache, digest).exists()
    ]


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.share", description=__doc__)
    parser.add_argument("remote", help="a folder, s3://bucket/project or ssh://host/folder")
    arguments = parser.parse_args()
    command.finish(lambda: share(arguments.remote))
