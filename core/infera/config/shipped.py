"""The configuration files that come with INFERA:

`configs/` of a checkout, packaged as `infera/configs`.
"""

from __future__ import annotations

from pathlib import Path

from infera.errors import InferaError, did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent.parent / "configs")


def shipped_names() -> list[str]:
    """Names of the shipped configurations, without `.yaml`."""
    return sorted({path.stem for folder in _FOLDERS for path in folder.glob("*.yaml")})


def shipped(name: str) -> Path:
    """The path of a shipped configuration: `shipped("devnet")`."""
    for folder in _FOLDERS:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    raise InferaError(
        f"no configuration named {name!r} comes with INFERA",
        code="config_unknown",
        hint=did_you_mean(name, shipped_names()),
    )
