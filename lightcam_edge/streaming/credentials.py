"""User names, passwords and secrets: from the environment or a file, never from a command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from lightcam_edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are for a server; not shown when printed."""

    username: str
    password: str = field(repr=False)


def read_credentials(
    file: Path | None, environment: Mapping[str, str], names: tuple[str, str]
) -> Credentials | None:
    """A user name and a password.

    Args:
        file: the name on its first line, the password on its second; None where there is none.
        environment: read where there is no file.
        names: variables of the name and of the password.

    Returns:
        None where neither says anything.

    Raises:
        UsageError: if the file cannot be read, or one of the two is missing.
    """
    if file is not None:
        lines = read_secret_file(file).splitlines()
        if len(lines) != 2:
            raise UsageError(
                f"{file} has {len(lines)} lines: write the user name and, below it, the password"
            )
        return Credentials(*lines)
    username, password = (environment.get(name, "") for name in names)
    if not username and not password:
        return None
    if not username:
        raise UsageError(f"{names[1]} is set and {names[0]} is not: set both")
    return Credentials(username, password)


def read_secret_file(file: Path) -> str:
    """The text of a file without the line break at its end.

    Raises:
        UsageError: if it cannot be read, or is empty.
    """
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if not text:
        raise UsageError(f"{file} is empty: it should hold the secret")
    return text


def split_address(url: str, what: str, schemes: tuple[str, ...], instead: str) -> SplitResult:
    """Take an address apart that must not hold a password.

    Args:
        url: the address.
        what: whose, for messages.
        schemes: those allowed.
        instead: where a password belongs.

    Raises:
        UsageError: if it is none of these schemes, has no host, or holds a user name or password,
            which is not repeated.
    """
    example = f"{schemes[0]}://HOST:PORT"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its message may hold a part of a password
        raise UsageError(f"the address of the {what} makes no sense: write {example}") from None
    if "@" in parts.netloc:
        raise UsageError(
            f"the address of the {what} holds a user name or password, which others can see: {instead}"
        )
    if parts.scheme not in schemes or not parts.hostname:
        known = " or ".join(f"{scheme}://" for scheme in schemes)
        raise UsageError(f"the address of the {what} must begin with {known} and name a host, as {example}")
    return parts
