"""Lines for whoever reads what a program prints."""

import os
from collections.abc import Callable


class OutputPipe:
    """Writes lines to a file descriptor, and remembers when its reader has gone.

    It writes past Python's own buffers, whose locks a thread that waits for a
    slow reader would hold while the program ends.

    Args:
        descriptor: of the pipe, file or terminal.
        on_gone: called in the writing thread.
    """

    def __init__(self, descriptor: int, on_gone: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_gone = on_gone
        self.gone = False

    def write(self, line: str) -> None:
        """Write one line.

        Raises:
            OSError: if it cannot be written, and the reader is still there.
        """
        content = memoryview(f"{line}\n".encode())
        try:
            while content and not self.gone:
                content = content[os.write(self._descriptor, content) :]
        except BrokenPipeError:
            self.gone = True
            self._on_gone()
