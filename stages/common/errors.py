"""Errors that a user can cause and mend."""


class UserError(Exception):
    """An error of one line: where, what was expected, what was found, what to do."""
