"""Secrets in addresses: names and passwords before the host, and tokens among the parameters after it."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

# Words in the names of parameters that have secrets: X-Amz-Signature, access_token, AWSAccessKeyId.
SECRET_WORDS = (
    *("token", "key", "sig", "signature", "password", "passwd", "pwd", "pass", "secret", "credential", "jwt"),
    *("credentials", "auth", "authorization", "session", "sas", "sid", "pat"),
)
SECRET_NAMES = ("code",)  # of a key of Azure's functions; as one word among others, it has many meanings
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
RUN_TOGETHER = re.compile(
    "token|signature|passw|passphrase|userpass|secret|credential|apikey|accesskey|key$|sess(ion)?id|oauth|"
    "xauth|authcode|bearer|hmac",
    re.IGNORECASE,
)
NAME, PASSWORD = "a name", "a password"
HIDDEN = "..."
# A name and a password, after ://, up to the @. What stands after a colon there and is no port is a password,
# which may have any character.
LOGIN = re.compile(r"[^/\s?#@\[]*:(?!\d+(?:[/?#:;,\s]|$))\S*@|[^/\s?#]*@")


def hide_secrets(text: str) -> str:
    """Remove names, passwords and queries from the addresses in a text, so that no log keeps them."""
    text = re.sub(rf"(?<=://)(?:{LOGIN.pattern})", "", text)
    return re.sub(r"(://[^\s?#;]*(?:[?#&]|;(?=\S)))\S*?(?=[:;,]?(?:\s|$))", rf"\g<1>{HIDDEN}", text)


def find_secret(url: str) -> str | None:
    """Return what is secret in an address: NAME, PASSWORD, or a text with a parameter's name."""
    if "://" not in url:
        return None
    logins = [LOGIN.match(url, found.end()) for found in re.finditer("://", url)]
    if names := [unquote(login[0]) for login in logins if login]:
        return PASSWORD if any(":" in name for name in names) else NAME
    parameters = re.split(r"[?#;&,]", url)[1:]
    names = [name for name, _ in parse_qsl("&".join(parameters), keep_blank_values=True)]
    return next((f"a value of {name!r}" for name in names if _is_secret(name)), None)


def refuse_secrets(url: str) -> str:
    """Return an address that has no secret; raise a ValueError, without the secret, if it has one."""
    secret = find_secret(url)
    if secret in (NAME, PASSWORD):
        raise ValueError("expected no name or password in an address, found one; put it into ~/.netrc")
    if secret is not None:
        raise ValueError(
            f"expected no secret in an address, found {secret}; download the files, and name their folder"
        )
    return url


def refuse_secrets_anywhere(content: Any, place: str = "") -> Any:
    """Return content without an address that has a secret, at any depth; raise a ValueError if there is one.

    To be called before types are checked, since a message about another mistake would quote the address.
    """
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, str):
        try:
            refuse_secrets(content)
        except ValueError as error:
            raise ValueError(f"{place}: {error}" if place else str(error)) from None
    elif isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list):
        items = enumerate(content)
    for key, value in items:
        refuse_secrets_anywhere(value, f"{place}.{key}" if place else str(key))
    return content


def _is_secret(name: str) -> bool:
    words = {word.lower() for word in WORD.findall(name)}
    return (
        name.lower() in SECRET_NAMES
        or bool(words & set(SECRET_WORDS))
        or RUN_TOGETHER.search(name) is not None
    )
