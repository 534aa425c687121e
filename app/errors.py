"""Failures that a person can mend: their text is the one line that says how."""


class CommandError(Exception):
    """A command failed. Exit status 1."""


class UsageError(CommandError):
    """A command was called wrongly. Exit status 2."""


class SettingsError(CommandError):
    """A setting has a value that cannot be used."""


class JournalDownError(CommandError):
    """The journal's database cannot be reached, or refused the work."""


class LineRefusedError(CommandError):
    """The journal's database is well, but will not take what one of the lines holds."""
