"""C code of INFERA behind cffi, with a pure-Python twin for every function.

keccak-256 (:func:`keccak256`, :func:`keccak256_many`), Merkle trees (:class:`MerkleTree`,
:func:`verify_proof`, :func:`verify_multiproof`), and what runs (:func:`backend`,
:func:`cpu_features`).  C calls release the GIL.
"""

from infera_ext._backend import BackendInfo, backend
from infera_ext.cpu import CPU_FEATURES, cpu_detected, cpu_features, cpu_limit
from infera_ext.hashing import (
    HASH_BYTES,
    MAX_COUNT,
    keccak256,
    keccak256_equal,
    keccak256_many,
    keccak256_offsets,
)
from infera_ext.merkle import (
    EMPTY_ROOT,
    MerkleTree,
    leaf_hash,
    merkle_root,
    verify_multiproof,
    verify_proof,
)

__all__ = [
    "CPU_FEATURES",
    "EMPTY_ROOT",
    "HASH_BYTES",
    "MAX_COUNT",
    "BackendInfo",
    "MerkleTree",
    "backend",
    "cpu_detected",
    "cpu_features",
    "cpu_limit",
    "keccak256",
    "keccak256_equal",
    "keccak256_many",
    "keccak256_offsets",
    "leaf_hash",
    "merkle_root",
    "verify_multiproof",
    "verify_proof",
]
