"""``python -m infera_ext.bench``: what the native code buys, printed and never asserted.

CPU time of the best of several runs on one core.  Peers are timed where they are installed:
pycryptodome and eth-hash, each under the same tree code in Python.
"""

from __future__ import annotations

import random
import time
from array import array
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import infera_ext
from infera_ext import _backend, pure

if TYPE_CHECKING:
    from collections.abc import Callable

LEAVES = 10_000
SIZES = (200, 288)
TWIN_LEAVES = 100  #: the twin is timed on fewer and scaled up

PATHS = {"portable": (), "avx2": ("avx2",), "avx512": ("avx2", "avx512")}


class Row(NamedTuple):
    """One line of a table; times in seconds."""

    name: str
    root: float
    proofs: float | None = None


def best(call: Callable[[], object], repeats: int = 10) -> float:
    """Smallest CPU time of one call, in seconds."""
    shortest = float("inf")
    for _ in range(repeats):
        start = time.process_time_ns()
        call()
        shortest = min(shortest, time.process_time_ns() - start)
    return shortest / 1e9


def peers() -> dict[str, Callable[[bytes], bytes]]:
    """The keccak-256 functions of other packages, by name."""
    found: dict[str, Callable[[bytes], bytes]] = {}
    try:
        from Crypto.Hash import keccak
    except ImportError:
        pass
    else:
        found["pycryptodome"] = lambda data: keccak.new(digest_bits=256, data=data).digest()
    try:
        from eth_hash.auto import keccak as eth_keccak
    except ImportError:
        pass
    else:
        eth_keccak(b"")  # picks its backend at the first call
        found["eth-hash"] = eth_keccak
    return found


def tree_over(keccak: Callable[[bytes], bytes], leaves: list[bytes]) -> bytes:
    """The root as a Python loop over somebody's keccak."""
    level = [keccak(b"\x00" + leaf) for leaf in leaves]
    while len(level) > 1:
        above = [keccak(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = above + level[len(level) - len(level) % 2 :]
    return level[0]


def every_proof(tree: infera_ext.MerkleTree) -> list[tuple[bytes, ...]]:
    """The proof of each leaf."""
    return [tree.proof(i) for i in range(len(tree))]


def trees(size: int) -> list[Row]:
    """Root and all proofs of LEAVES leaves of ``size`` bytes, by every path and peer."""
    data = random.Random(size).randbytes(size * LEAVES)  # noqa: S311  (data to hash, no secret)
    leaves = [data[i * size : (i + 1) * size] for i in range(LEAVES)]
    rows, roots = [], set()
    if _backend.active is not pure:
        for name, features in PATHS.items():
            if infera_ext.cpu_limit(features) == frozenset(features):
                tree = infera_ext.MerkleTree.from_leaves(data, size)
                roots.add(tree.root)
                rows.append(
                    Row(
                        f"infera_ext {name}",
                        best(lambda: infera_ext.MerkleTree.from_leaves(data, size), 30),
                        best(partial(every_proof, tree), 3),
                    )
                )
        infera_ext.cpu_limit(None)
    for name, keccak in peers().items():
        roots.add(tree_over(keccak, leaves))
        rows.append(Row(f"Python loop, {name}", best(partial(tree_over, keccak, leaves), 3)))
    few = data[: size * TWIN_LEAVES]
    nodes = pure.tree_equal(few, size, TWIN_LEAVES)
    scale = LEAVES / TWIN_LEAVES
    rows.append(
        Row(
            "infera_ext pure twin (scaled)",
            scale * best(lambda: pure.tree_equal(few, size, TWIN_LEAVES), 3),
            scale
            * best(lambda: [pure.proof(nodes, TWIN_LEAVES, i) for i in range(TWIN_LEAVES)], 3),
        )
    )
    if len(roots) > 1:
        raise SystemExit("the implementations disagree on the root")
    return rows


def single(size: int, calls: int = 2000) -> list[Row]:
    """One digest of ``size`` bytes a call, seconds each."""
    message = bytes(size)

    def each(keccak: Callable[[bytes], bytes], calls: int) -> float:
        return best(lambda: [keccak(message) for _ in range(calls)], 7) / calls

    rows = [Row(f"infera_ext {infera_ext.backend().name}", each(infera_ext.keccak256, calls))]
    rows += [Row(name, each(keccak, calls)) for name, keccak in peers().items()]
    return [*rows, Row("infera_ext pure twin", each(pure.keccak256, calls // 100))]


def verifying() -> list[Row]:
    """One proof, and one multi-proof of 128 leaves, of a tree of LEAVES leaves; seconds each."""
    leaves = [bytes(200) + i.to_bytes(4, "big") for i in range(LEAVES)]
    tree = infera_ext.MerkleTree.from_items(leaves)
    wanted = sorted(random.Random(1).sample(range(LEAVES), 128))  # noqa: S311
    chosen = [leaves[i] for i in wanted]
    proof, many = tree.proof(4321), tree.multiproof(wanted)
    packed, digest = b"".join(proof), tree.leaf_hash(4321)
    hashes = b"".join(tree.leaf_hash(i) for i in wanted)
    one = best(
        lambda: [
            infera_ext.verify_proof(tree.root, leaves[4321], 4321, LEAVES, proof)
            for _ in range(100)
        ]
    )
    several = best(lambda: infera_ext.verify_multiproof(tree.root, chosen, wanted, LEAVES, many))
    twin = best(lambda: pure.verify(tree.root, digest, 4321, LEAVES, packed), 3)
    twin_several = best(
        lambda: pure.verify_multi(tree.root, hashes, array("Q", wanted), LEAVES, b"".join(many)), 2
    )
    return [
        Row("one proof", one / 100),
        Row("one proof, pure twin", twin),
        Row("128 leaves at once", several),
        Row("128 leaves at once, pure twin", twin_several),
    ]


def show(title: str, rows: list[Row], unit: float, unit_name: str, *, proofs: bool = False) -> None:
    """Print a table: time in the unit, and how many times the first row's."""
    print(f"\n{title}")
    print(f"  {'':32}{unit_name:>12}{'ratio':>10}{'all proofs ms' if proofs else '':>16}")
    for row in rows:
        last = f"{row.proofs * 1e3:16.1f}" if row.proofs is not None else ""
        print(f"  {row.name:32}{row.root / unit:12.3f}{row.root / rows[0].root:10.1f}{last}")


def main() -> None:
    """Print every table."""
    info = infera_ext.backend()
    print(f"backend {info.name} ({info.reason}), kernels {info.kernels}")
    for size in SIZES:
        rows = sorted(trees(size), key=lambda row: row.root)
        title = f"Merkle tree over {LEAVES} leaves of {size} bytes, one core"
        show(title, rows, 1e-3, "tree ms", proofs=True)
    for size in (32, 200):
        show(f"keccak-256 of {size} bytes, one call", single(size), 1e-6, "us")
    show(f"verification in a tree of {LEAVES} leaves", verifying(), 1e-6, "us")


if __name__ == "__main__":
    main()
