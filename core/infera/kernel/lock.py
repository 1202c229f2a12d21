"""One node a home: a lock file with the process id of who holds it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from infera.errors import NeedsOperatorError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

try:
    import fcntl
except ImportError:  # no POSIX locks on this platform: the check is left out
    fcntl = None  # type: ignore[assignment]


class HomeLock:
    """Held while a node uses a home. The system frees it when the process ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self.path = home / "node.lock"
        self._handle: int | None = None

    def held(self) -> bool:
        """Whether a node uses the home. Makes no file."""
        try:
            handle = os.open(self.path, os.O_RDONLY)
        except OSError:
            return False
        try:
            # Asking means to hold the lock for a moment, in which a node could not start: only
            # where a process id tells of a node that runs, or that crashed.
            if os.read(handle, 1) and fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def __enter__(self) -> HomeLock:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise NeedsOperatorError(
                f"another node is running on {self.path.parent} (process {holder})",
                code="home_in_use",
                hint=f"stop it (kill {holder}), or give this one its own --home",
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None
