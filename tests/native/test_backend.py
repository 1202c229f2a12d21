"""Which implementation runs, forcing CPU paths, the GIL, and life without the C module."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import infera_ext
from infera_ext import backend, cpu_detected, cpu_features, cpu_limit, pure

from . import oracle
from .conftest import PATHS, native_module

PROBE = """
import infera_ext
info = infera_ext.backend()
print(info.name, info.kernels, info.reason, sep="|")
print(infera_ext.keccak256(b"").hex())
tree = infera_ext.MerkleTree.from_items([b"a", b"b", b"c"])
print(tree.root.hex())
assert infera_ext.verify_proof(tree.root, b"c", 2, 3, tree.proof(2))
assert infera_ext.cpu_detected() == infera_ext.cpu_limit(None) == frozenset()
"""

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name == "infera_ext._native":
            raise ModuleNotFoundError("blocked by the test", name=name)
sys.meta_path.insert(0, Block())
"""


def run(code: str, **environ: str) -> tuple[list[str], str]:
    """What the code prints, line by line, and what goes to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={key: os.environ[key] for key in os.environ if key != "INFERA_EXT"} | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("code", "environ", "reason"),
    [
        (BLOCKED + PROBE, {}, "the C module is missing (blocked by the test)"),
        (PROBE, {"INFERA_EXT": "0"}, "INFERA_EXT=0 is set"),
    ],
    ids=["not built", "opted out"],
)
def test_without_the_c_module(code: str, environ: dict[str, str], reason: str) -> None:
    (first, digest, root), warned = run(code, **environ)
    assert first == f"pure|python|{reason}"
    assert digest == oracle.keccak256(b"").hex()
    assert root == oracle.root([b"a", b"b", b"c"]).hex()
    assert ("RuntimeWarning: infera_ext runs in pure Python" in warned) is ("missing" in reason)


def test_backend_tells_what_runs() -> None:
    native_module()
    for name, features in PATHS.items():
        try:
            if cpu_limit(features) == frozenset(features):
                assert backend().kernels == name
        finally:
            cpu_limit(None)
    assert backend().name == "native"


def test_a_limit_narrows_and_is_lifted() -> None:
    native_module()
    before = cpu_detected()
    assert cpu_features() == before
    try:
        assert cpu_limit([]) == cpu_features() == frozenset()
        assert cpu_detected() == before
    finally:
        assert cpu_limit(None) == before


def test_an_unknown_feature() -> None:
    with pytest.raises(ValueError, match=r"unknown CPU feature 'avx9'; known are avx2"):
        cpu_limit(["avx9"])


def test_the_twins_have_the_same_functions() -> None:
    native = native_module()

    def functions(module: object) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(value).parameters)
            for name, value in vars(module).items()
            if inspect.isfunction(value) and not name.startswith("_")
        }

    assert functions(native) == functions(pure)


def test_every_declared_hash_function_is_used() -> None:
    folder = Path(__file__).parents[2] / "ext" / "infera_ext"
    declared = set(re.findall(r"\b(infera_\w+)\(", (folder / "cdef" / "hash.h").read_text()))
    used = set(re.findall(r"\blib\.(infera_\w+)", (folder / "native.py").read_text()))
    assert declared
    assert declared == used


def test_c_releases_the_gil() -> None:
    """With no forced switches, another thread gets to run only if the call lets go of the GIL."""
    native = native_module()
    data, seen = bytes(1 << 20), threading.Event()
    calls = 0

    def hash_until_seen() -> None:
        nonlocal calls
        while not seen.is_set() and calls < 1000:
            native.keccak256(data)
            calls += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        worker = threading.Thread(target=hash_until_seen)
        worker.start()  # returns once the worker runs, and the worker gives way only inside C
        seen.set()
        worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert calls < 1000


def test_threads_share_a_tree() -> None:
    leaves = [bytes([i]) * 40 for i in range(100)]
    tree = infera_ext.MerkleTree.from_items(leaves)
    wrong: list[int] = []

    def check(start: int) -> None:
        for i in range(start, 100, 4):
            if not infera_ext.verify_proof(tree.root, leaves[i], i, 100, tree.proof(i)):
                wrong.append(i)  # noqa: PERF401  (shared with the other threads)

    threads = [threading.Thread(target=check, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
