"""The kernel's own health checks; plugins register theirs."""

from __future__ import annotations

import os
import shutil
import stat

from infera.checks import CheckContext, HealthCheck, Severity

_LOW_DISK = 2 << 30


async def _home_writable(context: CheckContext) -> str | None:
    place = context.home
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return (
            f"{place} cannot be written; choose another folder with --home, or `chmod u+wx {place}`"
        )
    return None


async def _home_private(context: CheckContext) -> str | None:
    for folder in (context.home, context.home / "keys", context.home / "api_keys"):
        if os.name == "posix" and folder.exists():
            mode = stat.S_IMODE(folder.stat().st_mode)
            if mode & 0o077:
                return (
                    f"{folder} is open to other users (mode {mode:04o}); run `chmod 700 {folder}`"
                )
    return None


async def _disk_space(context: CheckContext) -> str | None:
    place = context.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < _LOW_DISK:
        return f"only {free >> 20} MiB are free at {place}; `du -xh {place} | sort -h` shows why"
    return None


async def _native_extension(context: CheckContext) -> str | None:
    try:
        from infera_ext import _native  # noqa: F401
    except ImportError:
        return (
            "infera_ext._native is not built: the pure-Python twin gives the same results, slowly;"
            " install a C compiler and run `pip install --force-reinstall --no-deps infera`"
        )
    return None


BUILTIN = (
    HealthCheck("home_writable", "the node's home can be written", _home_writable),
    HealthCheck(
        "home_private",
        "keys are closed to other users",
        _home_private,
        severity=Severity.WARNING,
        depends_on=("home_writable",),
    ),
    HealthCheck(
        "disk_space",
        "the home has room",
        _disk_space,
        severity=Severity.WARNING,
        depends_on=("home_writable",),
    ),
    HealthCheck(
        "native_extension", "the C extension is built", _native_extension, severity=Severity.WARNING
    ),
)
