"""Typed reading of an untrusted JSON object; every complaint is a 400 that names its `param`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from infera.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SHOWN = 64


def invalid(param: str, message: str, code: str = "invalid_value") -> NoReturn:
    """400: the parameter is understood and its value is wrong."""
    raise RequestError(f"Invalid value for {param!r}: {message}", code=code, param=param)


def unsupported(param: str, advice: str) -> NoReturn:
    """400: the parameter is OpenAI's and not ours; `advice` says what to do."""
    raise RequestError(
        f"{param!r} is not supported here: {advice}", code="unsupported_parameter", param=param
    )


def unsupported_value(param: str, advice: str) -> NoReturn:
    """400: the parameter is supported, this value of it is not."""
    raise RequestError(
        f"Unsupported value for {param!r}: {advice}", code="unsupported_value", param=param
    )


def unknown_key(param: str, key: str, known: Iterable[str], hint: str = "") -> NoReturn:
    """400 for a key nobody defined, with the nearest known one."""
    shown = shorten(key)
    where = f"{param}.{shown}" if param else shown
    raise RequestError(
        f"Unknown parameter {where!r}; {hint or did_you_mean(shown, known)}",
        code="unknown_parameter",
        param=where,
    )


def shorten(text: str) -> str:
    """What an error may quote of a client's text: printable and bounded."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:MAX_SHOWN])
    return f"{shown}…" if len(text) > MAX_SHOWN else shown


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """True for a parsed JSON object (its keys are always strings)."""
    return isinstance(value, dict)


def as_object(value: object, param: str, known: frozenset[str]) -> dict[str, Any]:
    """A JSON object with known keys only."""
    if not is_object(value):
        invalid(param, "must be an object", "invalid_type")
    for key in value:
        if key not in known:
            unknown_key(param, key, known)
    return value


def as_string(value: object, param: str, most: int) -> str:
    """A string of at most `most` bytes of UTF-8."""
    if not isinstance(value, str):
        invalid(param, "must be a string", "invalid_type")
    if len(value) > most or (not value.isascii() and len(value.encode()) > most):
        invalid(param, f"must be at most {most} bytes long", "string_above_max_length")
    return value


def as_list(value: object, param: str, most: int) -> list[Any]:
    """An array of at most `most` items."""
    if not isinstance(value, list):
        invalid(param, "must be an array", "invalid_type")
    if len(value) > most:
        invalid(param, f"must have at most {most} items", "array_above_max_length")
    return value


def as_bool(value: object, param: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        invalid(param, "must be true or false", "invalid_type")
    return value


def as_int(value: object, param: str, low: int, high: int) -> int:
    """An integer in a closed range; `true` and `1.0` are none."""
    if type(value) is not int:
        invalid(param, "must be an integer", "invalid_type")
    if value < low:
        invalid(param, f"must be at least {low}", "integer_below_min_value")
    if value > high:
        invalid(param, f"must be at most {high}", "integer_above_max_value")
    return value


def as_number(value: object, param: str, low: float, high: float) -> float:
    """A number in a closed range, as a float that is never -0.0."""
    if type(value) is not int and type(value) is not float:
        invalid(param, "must be a number", "invalid_type")
    if value < low:
        invalid(param, f"must be at least {low:g}", "decimal_below_min_value")
    if not value <= high:  # NaN too
        invalid(param, f"must be at most {high:g}", "decimal_above_max_value")
    return float(value) + 0.0
