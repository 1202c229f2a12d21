"""Which implementation is in use: the C module, or its pure-Python twin.

The twin is taken when the C module was not built, with a RuntimeWarning, or when ``INFERA_EXT=0``
is set in the environment at the first import.  Both give the same results; :func:`backend` tells
which one runs and why.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from infera_ext import pure

if TYPE_CHECKING:
    from array import array
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview


class Backend(Protocol):
    """What :mod:`infera_ext.native` and :mod:`infera_ext.pure` both offer; the latter says what
    each does."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  (a constant of a module)
    def keccak256(self, data: Bytes) -> bytes: ...
    def hash_equal(self, data: Bytes, size: int, count: int, tag: int) -> bytes: ...
    def hash_offsets(self, data: Bytes, offsets: array[int], tag: int) -> bytes: ...
    def tree_hashed(self, hashes: Bytes, count: int) -> bytearray: ...
    def tree_equal(self, data: Bytes, size: int, count: int) -> bytearray: ...
    def tree_offsets(self, data: Bytes, offsets: array[int]) -> bytearray: ...
    def fold(self, hashes: Bytes, count: int) -> bytes: ...
    def proof(self, nodes: Bytes, count: int, index: int) -> bytes: ...
    def verify(self, root: bytes, leaf: bytes, index: int, count: int, siblings: bytes) -> bool: ...
    def multiproof(self, nodes: Bytes, count: int, indices: array[int]) -> bytes: ...
    def verify_multi(
        self, root: bytes, leaves: bytes, indices: array[int], count: int, siblings: bytes
    ) -> bool: ...


class BackendInfo(NamedTuple):
    """What :func:`backend` returns."""

    name: str  #: "native" or "pure"
    reason: str  #: why it was taken
    kernels: str  #: "avx512", "avx2" or "portable"; "python" for the twin
    openmp: bool  #: whether the C module was compiled with OpenMP


def _choose() -> tuple[Backend, str]:
    if os.environ.get("INFERA_EXT") == "0":
        return pure, "INFERA_EXT=0 is set"
    try:
        from infera_ext import native
    except ImportError as error:
        warnings.warn(
            f"infera_ext runs in pure Python, hundreds of times slower: {error}. Install a C "
            "compiler and reinstall infera, or set INFERA_EXT=0 to say that this is meant",
            RuntimeWarning,
            stacklevel=2,
        )
        return pure, f"the C module is missing ({error})"
    return native, "the C module is built"


_chosen: Final = _choose()
#: The implementation in use.
active: Final[Backend] = _chosen[0]


def backend() -> BackendInfo:
    """Tell which implementation runs, with which kernels, and why."""
    if active is pure:
        return BackendInfo("pure", _chosen[1], "python", False)
    from infera_ext import cpu
    from infera_ext._native import lib

    used = cpu.cpu_features()
    kernels = "avx512" if "avx512" in used else "avx2" if "avx2" in used else "portable"
    return BackendInfo("native", _chosen[1], kernels, bool(lib.infera_openmp()))
