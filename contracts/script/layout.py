"""Where each upgradeable contract keeps its state, as the compiler lays it out.

State is in ERC-7201 namespaces: structs at a slot that follows from their name, which solc's
`storageLayout` leaves out. So a probe contract declares every such struct as a state variable of
its own, at a slot of its own, and slots, offsets and types are the compiler's.

`layouts/NAME.json` of the plugin holds the layout of the sources as they are, and of all sources
before them that had another one: an upgrade looks up what the deployed code was built from.
"""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
LAYOUTS = ROOT / "plugins/infera_plugins/chains/evm/layouts"
keccak256 = runpy.run_path(str(ROOT / "ext/infera_ext/pure_keccak.py"))["keccak256"]
PROBE = "Probe.sol"
NAMESPACE = re.compile(r"@custom:storage-location erc7201:([\w.]+)")

Node = dict[str, Any]


def slot_of(namespace: str) -> str:
    """ERC-7201: keccak256(keccak256(id) - 1), its last byte cleared."""
    inner = int.from_bytes(keccak256(namespace.encode()), "big") - 1
    return "0x" + keccak256(inner.to_bytes(32, "big"))[:31].hex() + "00"


class Namespaces:
    """The annotated structs of all sources."""

    def __init__(self, asts: dict[str, Node]) -> None:
        self.contracts: dict[int, Node] = {}
        self.sources: dict[int, str] = {}
        for source, ast in asts.items():
            for node in ast["nodes"]:
                if node["nodeType"] == "ContractDefinition":
                    self.contracts[node["id"]] = node
                    self.sources[node["id"]] = source

    def of(self, contract: int) -> list[tuple[str, int, str]]:
        """(namespace, the contract that declares it, the struct) of a contract and its bases."""
        found = []
        for base in self.contracts[contract]["linearizedBaseContracts"]:
            for node in self.contracts[base]["nodes"]:
                text = (node.get("documentation") or {}).get("text", "")
                match = NAMESPACE.search(text) if node["nodeType"] == "StructDefinition" else None
                if match:
                    found.append((match[1], base, node["name"]))
        return sorted(found)

    def constants(self, contract: int) -> set[str]:
        """The bytes32 literals that the contract names, in lower case."""
        return {
            node["value"]["value"].lower()
            for node in self.contracts[contract]["nodes"]
            if node["nodeType"] == "VariableDeclaration"
            and node.get("constant")
            and node["typeName"].get("name") == "bytes32"
            and (node.get("value") or {}).get("nodeType") == "Literal"
        }


def upgradeable(output: Node) -> bool:
    return any(entry.get("name") == "proxiableUUID" for entry in output["abi"])


def probe(namespaces: Namespaces, wanted: dict[str, int]) -> str:
    """A contract per upgradeable contract, with each of its namespaces as a state variable."""
    imports: dict[tuple[int, str], str] = {}
    bodies = []
    for contract, number in wanted.items():
        lines = []
        for position, (_, base, struct) in enumerate(namespaces.of(number)):
            name = namespaces.contracts[base]["name"]
            alias = imports.setdefault((base, name), f"{name}_{len(imports)}")
            lines.append(f"    {alias}.{struct} internal n{position};")
        bodies.append("\n".join([f"contract Probe{contract} {{", *lines, "}"]))
    head = [
        f'import {{ {name} as {alias} }} from "{namespaces.sources[base]}";'
        for (base, name), alias in imports.items()
    ]
    return "\n".join(["pragma solidity ^0.8.0;", *head, *bodies, ""])


def plain(label: str) -> str:
    """A type's name as the sources have it, not as the probe imports it."""
    return re.sub(r"\b([A-Za-z]\w*?)_\d+\.", r"\1.", label)


def type_entry(entry: Node, types: Node) -> Node:
    """A type without the compiler's numbers, which change with every source."""
    made: Node = {"encoding": entry["encoding"], "bytes": int(entry["numberOfBytes"])}
    for key in ("key", "value", "base"):
        if key in entry:
            made[key] = plain(types[entry[key]]["label"])
    if "members" in entry:
        made["members"] = [member(m, types) for m in entry["members"]]
    return made


def member(item: Node, types: Node) -> Node:
    return {
        "name": item["label"],
        "slot": int(item["slot"]),
        "offset": item["offset"],
        "type": plain(types[item["type"]]["label"]),
    }


def layouts(
    compiled: dict[str, Node],
    places: dict[str, str],
    asts: dict[str, Node],
    compile_probe: Callable[[str], Node],
) -> dict[str, Node]:
    """The layout of every upgradeable contract; `places` is the source of each."""
    namespaces = Namespaces(asts)
    numbers = {
        (namespaces.sources[number], node["name"]): number
        for number, node in namespaces.contracts.items()
    }
    wanted = {n: numbers[places[n], n] for n, output in compiled.items() if upgradeable(output)}
    for number in wanted.values():
        for name, base, _ in namespaces.of(number):
            if slot_of(name) not in namespaces.constants(base):
                contract = namespaces.contracts[base]["name"]
                sys.exit(f"{contract} has no constant {slot_of(name)}, the slot of {name}")
    probed = compile_probe(probe(namespaces, wanted))
    return {
        name: contract_layout(
            compiled[name]["storageLayout"],
            probed[f"Probe{name}"]["storageLayout"],
            namespaces.of(number),
        )
        for name, number in wanted.items()
    }


def contract_layout(own: Node, probed: Node, spaces: list[tuple[str, int, str]]) -> Node:
    """The layout of one contract: its namespaces and the types in them."""
    types: Node = {}
    found: Node = {}
    for (name, _, _), variable in zip(spaces, probed["storage"], strict=True):
        struct = probed["types"][variable["type"]]
        found[name] = {
            "slot": slot_of(name),
            "members": [member(m, probed["types"]) for m in struct["members"]],
        }
    if own["storage"]:
        members = [member(m, own["types"]) for m in own["storage"]]
        found[""] = {"slot": "0x" + "0" * 64, "members": members}
    for layout in (probed, own):
        for entry in (layout["types"] or {}).values():
            if "members" in entry or "base" in entry or "key" in entry:
                types[plain(entry["label"])] = type_entry(entry, layout["types"])
            else:
                types[plain(entry["label"])] = {
                    "encoding": entry["encoding"], "bytes": int(entry["numberOfBytes"])
                }  # fmt: skip
    roots = {m["type"] for space in found.values() for m in space["members"]}
    return {"namespaces": found, "types": dict(sorted(reachable(types, roots).items()))}


def reachable(types: Node, roots: set[str]) -> Node:
    kept: Node = {}
    waiting = sorted(roots)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = types[name]
            waiting += [types[name][k] for k in ("key", "value", "base") if k in types[name]]
            waiting += [m["type"] for m in types[name].get("members", [])]
    return kept


def digest(layout: Node) -> str:
    return hashlib.sha256(json.dumps(layout, sort_keys=True).encode()).hexdigest()


def added(book: Node | None, source_hash: str, layout: Node) -> Node:
    """A contract's file with the present sources in it."""
    book = book or {"sources": {}, "layouts": {}}
    key = digest(layout)
    sources = {**book["sources"], source_hash: key}
    return {
        "now": source_hash,
        "sources": dict(sorted(sources.items())),
        "layouts": dict(sorted({**book["layouts"], key: layout}.items())),
    }


def read(name: str, folder: Path = LAYOUTS) -> Node | None:
    path = folder / f"{name}.json"
    book: Node | None = json.loads(path.read_text("utf-8")) if path.exists() else None
    return book


def stale(layouts: dict[str, tuple[str, Node]], folder: Path = LAYOUTS) -> list[str]:
    """What the committed files do not say of the present sources."""
    lines = [
        f"layouts/{name}.json: says nothing, or another thing, of the present sources"
        for name, (source_hash, layout) in layouts.items()
        if read(name, folder) != added(read(name, folder), source_hash, layout)
    ]
    strangers = {path.stem for path in folder.glob("*.json")} - layouts.keys()
    return lines + [
        f"layouts/{name}.json: of no upgradeable contract" for name in sorted(strangers)
    ]


def write(layouts: dict[str, tuple[str, Node]], folder: Path = LAYOUTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (source_hash, layout) in layouts.items():
        text = json.dumps(added(read(name, folder), source_hash, layout), indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
