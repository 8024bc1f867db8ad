"""Whom to trust, and what to show, over TLS."""

import ssl
from pathlib import Path

from lightcam_edge.errors import UsageError


def client_context(
    ca_file: Path | None = None, certificate_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """A context that verifies the server and its name.

    Args:
        ca_file: PEM certificates of the authorities to trust instead of the system's.
        certificate_file: PEM certificate to show to the server.
        key_file: its PEM key without a password, where it is not in the same file.

    Raises:
        UsageError: if a file is missing or of no use.
    """
    files = [file for file in (ca_file, certificate_file, key_file) if file]
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
    if key_file and not certificate_file:
        raise UsageError(f"{key_file} is a key without a certificate: give the certificate too")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate_file:
            # Without a password of its own, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate_file, key_file, password="")
    except OSError as error:
        names = ", ".join(map(str, files))
        raise UsageError(
            f"{names}: no PEM certificates, or a key that does not belong or has a password: {error}"
        ) from error
    return context
