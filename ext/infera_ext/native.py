"""The C module behind the same functions as :mod:`infera_ext.pure`.

Importing it fails with ImportError where the C module was not built.  Every call releases the GIL
while C runs.  Arguments have been checked by the callers: C sees pointers and lengths only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infera_ext._native import ffi, lib

if TYPE_CHECKING:
    from array import array
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

NAME: Final = "native"

_new = ffi.new
_buffer = ffi.buffer
_from_buffer = ffi.from_buffer
_keccak256 = lib.infera_keccak256
_digest_type = ffi.typeof("uint8_t[32]")
_proof_type = ffi.typeof("uint8_t[1024]")  # 32 siblings: a count is a uint32


def _pointer(data: Bytes) -> Any:
    """What cffi passes without a copy: bytes as they are, other buffers by their address."""
    return data if type(data) is bytes else _from_buffer("uint8_t[]", data)


def _u64(values: array[int]) -> Any:
    return _from_buffer("uint64_t[]", values)


def keccak256(data: Bytes) -> bytes:
    out = _new(_digest_type)
    _keccak256(_pointer(data), len(data), out)
    return _buffer(out)[:]  # type: ignore[no-any-return]


def hash_equal(data: Bytes, size: int, count: int, tag: int) -> bytes:
    out = bytearray(32 * count)
    lib.infera_keccak256_equal(_pointer(data), size, count, tag, _from_buffer("uint8_t[]", out))
    return bytes(out)


def hash_offsets(data: Bytes, offsets: array[int], tag: int) -> bytes:
    out = bytearray(32 * (len(offsets) - 1))
    lib.infera_keccak256_offsets(
        _pointer(data), _u64(offsets), len(offsets) - 1, tag, _from_buffer("uint8_t[]", out)
    )
    return bytes(out)


def _room(count: int) -> bytearray:
    return bytearray(32 * lib.infera_merkle_nodes(count))


def tree_hashed(hashes: Bytes, count: int) -> bytearray:
    nodes = _room(count)
    nodes[: 32 * count] = hashes
    lib.infera_merkle_build(_from_buffer("uint8_t[]", nodes), count)
    return nodes


def tree_equal(data: Bytes, size: int, count: int) -> bytearray:
    nodes = _room(count)
    out = _from_buffer("uint8_t[]", nodes)
    lib.infera_keccak256_equal(_pointer(data), size, count, 0, out)
    lib.infera_merkle_build(out, count)
    return nodes


def tree_offsets(data: Bytes, offsets: array[int]) -> bytearray:
    count = len(offsets) - 1
    nodes = _room(count)
    out = _from_buffer("uint8_t[]", nodes)
    lib.infera_keccak256_offsets(_pointer(data), _u64(offsets), count, 0, out)
    lib.infera_merkle_build(out, count)
    return nodes


def fold(hashes: Bytes, count: int) -> bytes:
    work = bytearray(hashes)
    lib.infera_merkle_fold(_from_buffer("uint8_t[]", work), count)
    return bytes(work[:32])


def proof(nodes: Bytes, count: int, index: int) -> bytes:
    out = _new(_proof_type)
    n = lib.infera_merkle_proof(_pointer(nodes), count, index, out)
    return _buffer(out, 32 * n)[:]  # type: ignore[no-any-return]


def verify(root: bytes, leaf: bytes, index: int, count: int, siblings: bytes) -> bool:
    return bool(lib.infera_merkle_verify(root, leaf, index, count, siblings, len(siblings) // 32))


def multiproof(nodes: Bytes, count: int, indices: array[int]) -> bytes:
    n = len(indices)
    work, where, what = _new("uint64_t[]", n), _u64(indices), _pointer(nodes)
    siblings = lib.infera_merkle_multiproof(what, count, where, n, work, ffi.NULL)
    out = bytearray(32 * siblings)
    lib.infera_merkle_multiproof(what, count, where, n, work, _from_buffer("uint8_t[]", out))
    return bytes(out)


def verify_multi(
    root: bytes, leaves: bytes, indices: array[int], count: int, siblings: bytes
) -> bool:
    n = len(indices)
    work, hashes = _new("uint64_t[]", n), _new("uint8_t[]", 96 * n)
    return bool(
        lib.infera_merkle_verify_multi(
            root, leaves, _u64(indices), n, count, siblings, len(siblings) // 32, work, hashes
        )
    )
