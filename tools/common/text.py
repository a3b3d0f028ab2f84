"""Text of files' names and the like, which may have any characters, as it is shown."""


def make_printable(text: str) -> str:
    """Return a text with control characters, line ends and bytes that are no text written as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
