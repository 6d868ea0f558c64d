"""The base of the errors that an operator can do something about."""


class OperationalError(RuntimeError):
    """An error whose message names the cause and the way out; a command shows it as one line."""
