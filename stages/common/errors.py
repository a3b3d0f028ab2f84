"""The error that a user can cause and mend."""


class UserError(Exception):
    """One line: what is wrong, where, what was expected, what was found, what to do."""
