"""Instruction sets of the processor, and narrowing them so that tests can force every path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infera_ext import _backend, pure

if TYPE_CHECKING:
    from collections.abc import Iterable

_lib: Any = None
if _backend.active is not pure:
    from infera_ext._native import lib as _lib

#: Names of the feature bits of ``cdef/cpu.h``, each a whole set of instructions.
CPU_FEATURES: Final = {"avx2": 1, "avx512": 2, "avx512vnni": 4}


def _names(bits: int) -> frozenset[str]:
    return frozenset(name for name, bit in CPU_FEATURES.items() if bits & bit)


def cpu_detected() -> frozenset[str]:
    """The sets that this build and this processor have; empty without the C module."""
    return _names(_lib.infera_cpu_detected()) if _lib else frozenset()


def cpu_features() -> frozenset[str]:
    """The sets in use: the detected ones, less what :func:`cpu_limit` took away."""
    return _names(_lib.infera_cpu_features()) if _lib else frozenset()


def cpu_limit(names: Iterable[str] | None) -> frozenset[str]:
    """Use no set but ``names`` from now on, in the whole process; ``None`` lifts the limit.

    Returns the sets in use afterwards.  Raises ValueError for a name not in :data:`CPU_FEATURES`.
    A limit changes speed only: results are the same on every path.
    """
    if names is None:
        mask = 0x7FFFFFFF
    else:
        mask = 0
        for name in names:
            if name not in CPU_FEATURES:
                known = ", ".join(CPU_FEATURES)
                raise ValueError(f"unknown CPU feature {name!r}; known are {known}")
            mask |= CPU_FEATURES[name]
    return _names(_lib.infera_cpu_limit(mask)) if _lib else frozenset()
