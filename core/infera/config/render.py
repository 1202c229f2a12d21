"""How configuration is shown: problems with their source line, the effective configuration with
secrets masked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import SecretStr

from infera.kernel.registry import LAYERS

if TYPE_CHECKING:
    from infera.config.load import NodeConfig
    from infera.errors import ConfigError

_WIDTH = 100


def render(error: ConfigError) -> str:
    """Each problem, the line it is on, and a caret under the place."""
    parts: list[str] = []
    lines: dict[str, list[str]] = {}
    for problem in error.problems:
        parts.append(str(problem))
        if problem.file not in lines:
            lines[problem.file] = _lines(problem.file)
        if 0 < problem.line <= len(lines[problem.file]):
            line = lines[problem.file][problem.line - 1].replace("\t", " ")
            if line.strip() and problem.column <= _WIDTH:
                number = f"{problem.line:>5} | "
                parts.append(f"{number}{line[:_WIDTH]}")
                parts.append(f"{'^':>{len(number) + problem.column}}")
    count = len(error.problems)
    parts.append(f"{count} problem{'' if count == 1 else 's'} in the configuration")
    return "\n".join(parts)


def show(config: NodeConfig) -> str:
    """The effective configuration as YAML: every default filled in, secrets as `***`."""
    data: dict[str, Any] = {
        "node": {"name": config.name, "home": str(config.home)},
        "state": {"url": _mask_url(config.state_url.get_secret_value())},
    }
    for layer in LAYERS:
        data[layer] = [
            {"kind": block.kind.kind, "name": block.name, "optional": block.optional}
            | {k: v for k, v in _plain(block.config.model_dump()).items() if k != "name"}
            for block in config.layers[layer]
        ]
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=_WIDTH))


def _plain(value: Any) -> Any:
    """Values YAML can write; a secret becomes `***`."""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int):
        return int(value)
    return str(value)


def _mask_url(url: str) -> str:
    """A database URL without its password."""
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    if not at:
        return url
    user, colon, _ = credentials.partition(":")
    return f"{scheme}{separator}{user}{':***' if colon else ''}@{host}"


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError):
        return []
