"""Storage layouts of upgradeable contracts, and whether new code can take over old state.

Written by contracts/script/layout.py: ERC-7201 namespaces with the compiler's slots, offsets and
types, for the sources as they are and for all before them that had another layout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..contracts import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping

Layout = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clash:
    """One way in which new code would misread old state."""

    where: str
    what: str
    grave: bool = True
    """False: nothing is misread, but a person should look (a variable got another name)."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@cache
def _book(contract: str) -> Mapping[str, Any] | None:
    path = shipped("layouts").joinpath(f"{contract}.json")
    try:
        book: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return book


def layout_of(contract: str, source_hash: str) -> Layout | None:
    """The layout that these sources of a contract have; None if they are not known here."""
    book = _book(contract)
    if book is None or source_hash not in book["sources"]:
        return None
    found: Layout = book["layouts"][book["sources"][source_hash]]
    return found


def clashes(old: Layout, new: Layout) -> list[Clash]:
    """Everything that speaks against the new layout; empty: the state carries over unread."""
    comparison = _Comparison(old["types"], new["types"])
    for name, before in old["namespaces"].items():
        after = new["namespaces"].get(name)
        where = name or "storage"
        if after is None:
            comparison.add(where, "the namespace is gone, and all state in it with it")
        elif after["slot"] != before["slot"]:
            comparison.add(where, f"its slot moves from {before['slot']} to {after['slot']}")
        else:
            comparison.members(where, before["members"], after["members"])
    return comparison.found


class _Comparison:
    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._old = old
        self._new = new
        self._compared: set[tuple[str, str]] = set()
        self.found: list[Clash] = []

    def add(self, where: str, what: str, *, grave: bool = True) -> None:
        self.found.append(Clash(where, what, grave))

    def members(self, where: str, old: list[Any], new: list[Any]) -> None:
        """What was there stays in place; what is new comes after it."""
        places = {(m["slot"], m["offset"]): m for m in new}
        names = {m["name"]: m for m in new}
        for before in old:
            place = f"{where}.{before['name']}"
            same = names.get(before["name"])
            after = places.get((before["slot"], before["offset"]))
            if same is not None and same is not after:
                self.add(
                    place,
                    f"it moves from slot {before['slot']}, byte {before['offset']} to slot"
                    f" {same['slot']}, byte {same['offset']}",
                )
            elif after is None:
                self.add(place, "it is gone")
            else:
                if after["name"] != before["name"] and any(m["name"] == after["name"] for m in old):
                    self.add(place, f"it is gone, and {after['name']} is in its place")
                elif after["name"] != before["name"]:
                    self.add(place, f"it is now called {after['name']}", grave=False)
                self.types(place, before["type"], after["type"])
        self._strangers(where, old, new)

    def _strangers(self, where: str, old: list[Any], new: list[Any]) -> None:
        """A new variable in bytes that an old one, of whatever name, still holds."""
        taken = {(m["slot"], m["offset"]) for m in old}
        spans = [self._span(m, self._old) for m in old]
        for member in new:
            if (member["slot"], member["offset"]) in taken:
                continue
            first, last = self._span(member, self._new)
            if any(first < until and start < last for start, until in spans):
                self.add(f"{where}.{member['name']}", "it is new, and where an old variable was")

    def _span(self, member: Any, types: Mapping[str, Any]) -> tuple[int, int]:
        start = 32 * member["slot"] + member["offset"]
        return start, start + types[member["type"]]["bytes"]

    def types(self, where: str, old: str, new: str, *, grows: bool = False) -> None:
        """`grows`: nothing stands behind a value, as in a mapping, so a struct may get longer."""
        before, after = self._old[old], self._new[new]
        if before["encoding"] != after["encoding"] or _kind(old) != _kind(new):
            self.add(where, f"its type changes from {old} to {new}")
            return
        if "members" in before:
            if before["bytes"] != after["bytes"] and not grows:
                self.add(
                    where,
                    f"{old} changes from {before['bytes']} to {after['bytes']} bytes where others"
                    " stand behind it",
                )
            elif before["bytes"] > after["bytes"]:
                self.add(where, f"{old} shrinks from {before['bytes']} to {after['bytes']} bytes")
            if (old, new) not in self._compared:  # a struct may hold a mapping to its own kind
                self._compared.add((old, new))
                self.members(where, before["members"], after["members"])
        elif before["encoding"] == "mapping":
            self.types(f"{where}[key]", before["key"], after["key"])
            self.types(f"{where}[]", before["value"], after["value"], grows=True)
        elif "base" in before:
            if before["bytes"] != after["bytes"] or _length(old) != _length(new):
                self.add(where, f"its type changes from {old} to {new}")
                return
            self.types(f"{where}[]", before["base"], after["base"])
        elif before["bytes"] != after["bytes"]:
            self.add(where, f"its type changes from {old} to {new}")


def _kind(label: str) -> str:
    """What a type's bytes mean: contracts are addresses, and structs and enums go by more than
    their names.
    """
    if label.endswith("]"):
        return "array"
    word = label.split(" ")[0].split("(")[0]
    if word in ("struct", "enum", "mapping"):
        return word if word != "enum" else label
    return "address" if word in ("contract", "address") else label


def _length(label: str) -> str:
    return label[label.rindex("[") :]
