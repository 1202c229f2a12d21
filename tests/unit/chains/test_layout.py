"""Which storage layouts new code may have over old state."""

from __future__ import annotations

import copy
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infera_ext import keccak256
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment.layout import clashes, layout_of

ROOT = Path(__file__).resolve().parents[3]
EVM = ROOT / "plugins/infera_plugins/chains/evm"
SIZES = {"bool": 1, "uint8": 1, "uint64": 8, "uint128": 16, "address": 20, "uint256": 32}
Members = list[tuple[str, str]]


def laid(members: Members, types: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """(members in place, bytes) by Solidity's rules: packed in order, structs in slots of their
    own.
    """
    made, slot, offset = [], 0, 0
    for name, kind in members:
        size = types[kind]["bytes"]
        whole = "members" in types[kind] or types[kind]["encoding"] != "inplace"
        if offset and (whole or offset + size > 32):
            slot, offset = slot + 1, 0
        made.append({"name": name, "slot": slot, "offset": offset, "type": kind})
        slot, offset = (slot + -(-size // 32), 0) if whole else (slot, offset + size)
        if offset == 32:
            slot, offset = slot + 1, 0
    return made, 32 * (slot + (offset > 0))


def layout(members: Members, inner: Members | None = None) -> dict[str, Any]:
    """A contract with one namespace; `struct S` is `inner`."""
    types: dict[str, Any] = {n: {"encoding": "inplace", "bytes": b} for n, b in SIZES.items()}
    if inner is not None:
        made, size = laid(inner, types)
        types["struct S"] = {"encoding": "inplace", "bytes": size, "members": made}
        types["struct S[]"] = {"encoding": "dynamic_array", "bytes": 32, "base": "struct S"}
        types["mapping(address => struct S)"] = {
            "encoding": "mapping", "bytes": 32, "key": "address", "value": "struct S",
        }  # fmt: skip
    made, _ = laid(members, types)
    return {"namespaces": {"infera.storage.T": {"slot": "0x01", "members": made}}, "types": types}


OLD: Members = [("a", "address"), ("b", "uint64"), ("c", "uint256")]
INNER: Members = [("x", "uint256"), ("y", "uint64")]


def said(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(clash) for clash in clashes(old, new)]


def test_the_same_layout_and_one_with_more_at_the_end_are_fine() -> None:
    assert said(layout(OLD), layout(OLD)) == []
    assert said(layout(OLD), layout([*OLD, ("d", "uint256")])) == []
    # What is new may fill the rest of a slot.
    assert said(layout(OLD[:2]), layout([*OLD[:2], ("d", "bool")])) == []


@pytest.mark.parametrize(
    ("new", "clash"),
    [
        (OLD[:2], "T.c: it is gone"),
        ([OLD[0], OLD[2]], "T.b: it is gone"),
        ([OLD[1], OLD[0], OLD[2]], "T.a: it moves from slot 0, byte 0 to slot 0, byte 8"),
        ([("z", "uint256"), *OLD], "T.a: it moves from slot 0, byte 0 to slot 1, byte 0"),
        ([OLD[0], ("b", "uint128"), OLD[2]], "T.b: it moves from slot 0, byte 20 to slot 1"),
        ([*OLD[:2], ("c", "uint128")], "T.c: its type changes from uint256 to uint128"),
        ([("a", "uint128"), *OLD[1:]], "T.a: its type changes from address to uint128"),
    ],
)
def test_what_is_removed_moved_or_retyped_clashes(new: Members, clash: str) -> None:
    assert any(f"infera.storage.{clash}" in line for line in said(layout(OLD), layout(new)))


def test_another_name_is_worth_a_look_and_no_clash() -> None:
    [found] = clashes(layout(OLD), layout([("z", "address"), *OLD[1:]]))
    assert (str(found), found.grave) == ("infera.storage.T.a: it is now called z", False)


def test_a_namespace_that_is_gone_or_elsewhere_clashes() -> None:
    old, gone, moved = layout(OLD), layout(OLD), layout(OLD)
    gone["namespaces"]["infera.storage.U"] = gone["namespaces"].pop("infera.storage.T")
    assert said(old, gone) == [
        "infera.storage.T: the namespace is gone, and all state in it with it"
    ]
    moved["namespaces"]["infera.storage.T"]["slot"] = "0x02"
    assert said(old, moved) == ["infera.storage.T: its slot moves from 0x01 to 0x02"]


@pytest.mark.parametrize(
    ("kind", "fine"),
    [("mapping(address => struct S)", True), ("struct S[]", False), ("struct S", False)],
)
def test_a_struct_may_grow_where_nothing_stands_behind_it(kind: str, fine: bool) -> None:
    longer = [*INNER, ("z", "uint256")]
    found = said(layout([("s", kind)], INNER), layout([("s", kind)], longer))
    assert (found == []) == fine
    assert fine or "struct S changes from 64 to 96 bytes" in found[0]
    swapped = said(layout([("s", kind)], INNER), layout([("s", kind)], INNER[::-1]))
    assert any("it moves from" in line for line in swapped)


def test_a_struct_that_holds_its_own_kind_is_compared_once() -> None:
    old = layout([("s", "mapping(address => struct S)")], INNER)
    old["types"]["struct S"]["members"].append(
        {"name": "more", "slot": 2, "offset": 0, "type": "mapping(address => struct S)"}
    )
    assert said(old, copy.deepcopy(old)) == []


members = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(sorted(SIZES))),
    min_size=1, max_size=6, unique_by=lambda m: m[0],
)  # fmt: skip


@given(members, members)
def test_what_survives_an_accepted_layout_is_where_it_was(old: Members, new: Members) -> None:
    before, after = layout(old), layout(new)
    if any(clash.grave for clash in clashes(before, after)):
        return
    now = {(m["slot"], m["offset"]): m for m in after["namespaces"]["infera.storage.T"]["members"]}
    named = {m["name"]: m for m in now.values()}
    for member in before["namespaces"]["infera.storage.T"]["members"]:
        found = now[member["slot"], member["offset"]]
        assert found["type"] == member["type"]
        assert named.get(member["name"], found) is found


@given(members, st.data())
def test_only_appending_passes_without_a_word(old: Members, data: Any) -> None:
    more = data.draw(members.map(lambda ms: [(n.upper(), k) for n, k in ms]))
    assert clashes(layout(old), layout([*old, *more])) == []


@given(members, members)
def test_the_same_holds_inside_a_mappings_structs(old: Members, new: Members) -> None:
    kind = [("s", "mapping(address => struct S)")]
    inside = clashes(layout(kind, old), layout(kind, new))
    outside = clashes(layout(old), layout(new))
    assert any(c.grave for c in outside) <= any(c.grave for c in inside)


# -- the files that ship


@pytest.mark.parametrize("name", sorted(p.stem for p in (EVM / "layouts").glob("*.json")))
def test_the_present_sources_have_a_layout_at_the_slots_of_their_namespaces(name: str) -> None:
    found = layout_of(name, interface(name).source_hash)
    assert found is not None
    assert clashes(found, found) == []
    for namespace, space in found["namespaces"].items():
        inner = int.from_bytes(keccak256(namespace.encode()), "big") - 1
        assert space["slot"] == "0x" + keccak256(inner.to_bytes(32, "big"))[:31].hex() + "00"


def test_every_upgradeable_contract_has_a_layout() -> None:
    upgradeable = {
        path.stem
        for path in (EVM / "artifacts").glob("*.json")
        if any(e.get("name") == "proxiableUUID" for e in json.loads(path.read_text())["abi"])
    }
    assert {path.stem for path in (EVM / "layouts").glob("*.json")} == upgradeable


def test_sources_nobody_knows_have_no_layout() -> None:
    assert layout_of("StakeRegistry", "00" * 32) is None
    assert layout_of("INFR", interface("INFR").source_hash) is None


def test_a_files_old_layouts_stay_and_a_stale_file_is_found(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "contracts/script"))
    try:
        script = importlib.import_module("layout")
    finally:
        sys.path.pop(0)
    first, second = layout(OLD), layout([*OLD, ("d", "bool")])
    assert script.stale({"T": ("s1", first)}, tmp_path) != []
    script.write({"T": ("s1", first)}, tmp_path)
    assert script.stale({"T": ("s1", first)}, tmp_path) == []
    assert script.stale({"T": ("s2", first)}, tmp_path) != []
    assert script.stale({"T": ("s1", second)}, tmp_path) != []
    script.write({"T": ("s2", second)}, tmp_path)
    book = script.read("T", tmp_path)
    assert [book["layouts"][book["sources"][s]] for s in ("s1", "s2")] == [first, second]
    assert script.stale({}, tmp_path) == ["layouts/T.json: of no upgradeable contract"]
