"""Errors the command line turns into one line and an exit code."""


class LightcamError(Exception):
    """Something outside this program is wrong: an input, a file, an installation.

    The message is one line: what, why, and the fix. `exit_code` is what the
    command line returns for it.
    """

    exit_code = 1


class InputError(LightcamError):
    """An image, video or folder cannot be read."""

    exit_code = 1


class UsageError(LightcamError):
    """A command, option or configuration does not make sense."""

    exit_code = 2


class ModelFileError(LightcamError):
    """A model file is damaged, incomplete, or not made for this program."""

    exit_code = 3


class RuntimeMissingError(LightcamError):
    """A package this command needs is not installed."""

    exit_code = 3
