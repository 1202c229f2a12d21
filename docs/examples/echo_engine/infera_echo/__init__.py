"""A plugin with one engine: `echo` repeats the last message. This file holds the hooks alone."""

from collections.abc import Callable

from infera.checks import HealthCheck
from infera.hookspecs import Manifest, Register, hookimpl

from infera_echo.checks import PREFIX_SHORT
from infera_echo.engine import EchoConfig, EchoEngine


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="echo", summary="Repeats the last message")


@hookimpl
def infera_register_engines(register: Register) -> None:
    register("echo", EchoEngine, EchoConfig)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    register(PREFIX_SHORT)
