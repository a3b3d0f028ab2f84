"""Secrets in addresses: names and passwords before the host, and tokens after the question mark."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

# Words in the names of a query's parameters that have secrets: X-Amz-Signature, access_token, AWSAccessKeyId.
SECRET_WORDS = (
    *("token", "key", "sig", "signature", "password", "passwd", "pwd", "pass", "secret", "credential", "jwt"),
    *("credentials", "auth", "authorization", "session", "sas", "pat"),
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
RUN_TOGETHER = re.compile(r"token|signature|passw|secret|credential|apikey|accesskey|key$", re.IGNORECASE)
HIDDEN = "..."


def hide_secrets(text: str) -> str:
    """Remove names, passwords and queries from the addresses in a text, so that no log keeps them."""
    text = re.sub(r"(?<=://)[^/\s]*@", "", text)
    return re.sub(r"(://[^\s?#]*[?#])\S*?(?=[:;,]?(?:\s|$))", rf"\g<1>{HIDDEN}", text)


def refuse_secrets(url: str) -> str:
    """Return an address that has no secret; raise a ValueError, without the secret, if it has one."""
    _, separator, rest = url.partition("://")
    if not separator:
        return url
    place, _, query = re.sub(r"[?#]", "?", rest, count=1).partition("?")
    if "@" in place.partition("/")[0]:
        raise ValueError("expected no name or password in an address, found one; put it into ~/.netrc")
    for name, _ in parse_qsl(query.replace("?", "&").replace("#", "&"), keep_blank_values=True):
        if _names_a_secret(name):
            raise ValueError(
                f"expected no secret in an address, found a value of {name!r} after the ?; download the "
                "files, and name their folder"
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


def _names_a_secret(name: str) -> bool:
    words = {word.lower() for word in WORD.findall(name)}
    return bool(words & set(SECRET_WORDS)) or RUN_TOGETHER.search(name) is not None
