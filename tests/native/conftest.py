"""A test that asks for ``path`` runs once per implementation: the twin and each forced CPU path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import infera_ext
from infera_ext import _backend, pure

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOSEN, REASON = _backend.active, infera_ext.backend().reason
PATHS: dict[str, list[str]] = {"portable": [], "avx2": ["avx2"], "avx512": ["avx2", "avx512"]}


@pytest.fixture(scope="module", params=["pure", *PATHS])
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """Force one implementation behind the public functions for the tests of a module."""
    name: str = request.param
    with pytest.MonkeyPatch.context() as patch:
        if name == "pure":
            patch.setattr(_backend, "active", pure)
            yield name
            return
        patch.setattr(_backend, "active", native_module())
        try:
            if infera_ext.cpu_limit(PATHS[name]) != frozenset(PATHS[name]):
                pytest.skip(f"this processor or build has no {name}")
            yield name
        finally:
            infera_ext.cpu_limit(None)


def native_module() -> Any:
    """The C functions; skips the test where they are not built or ``INFERA_EXT=0`` is set."""
    if CHOSEN is pure:
        pytest.skip(REASON)
    return CHOSEN
