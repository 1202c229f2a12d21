"""The typed bindings against the artifacts' ABIs and eth_abi."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from infera.errors import NeedsOperatorError
from infera.protocol.abi import checksum_address
from infera.types import BatchHeader as ProtocolHeader
from infera_ext import keccak256
from infera_plugins.chains.evm.binding import Contract, Event, Struct, snake
from infera_plugins.chains.evm.bindings.infr import INFR
from infera_plugins.chains.evm.bindings.job_registry import JobRegistry
from infera_plugins.chains.evm.bindings.types import BatchHeader, Role
from infera_plugins.chains.evm.bindings.vesting import Vesting

if TYPE_CHECKING:
    from collections.abc import Coroutine

ROOT = Path(__file__).resolve().parents[3]
EVM = ROOT / "plugins/infera_plugins/chains/evm"
ARTIFACTS = {path.stem: json.loads(path.read_text()) for path in (EVM / "artifacts").glob("*.json")}
HERE = checksum_address(bytes(range(20)))


def script(name: str) -> Any:
    """A module of contracts/script."""
    folder = str(ROOT / "contracts/script")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


class Recorder:
    """A chain that writes down what it is asked and answers what it was given."""

    def __init__(self) -> None:
        self.contracts = dict.fromkeys(ARTIFACTS, HERE)
        self.asked: tuple[str, bytes, int | None] | None = None
        self.answer = b""

    async def ask(self, to: str, data: bytes, block: int | None = None) -> bytes:
        self.asked = (to, data, block)
        return self.answer


def now(waiting: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        waiting.send(None)
    except StopIteration as e:
        return e.value
    raise AssertionError("it waits")


def binding(contract: str) -> Any:
    return importlib.import_module(f"infera_plugins.chains.evm.bindings.{snake(contract)}")


def canonical(item: dict[str, Any]) -> str:
    kind: str = item["type"]
    inner = ",".join(canonical(c) for c in item.get("components", ()))
    return kind.replace("tuple", f"({inner})", 1) if kind.startswith("tuple") else kind


def element(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "type": re.sub(r"\[\d*\]$", "", item["type"])}


def hints(kind: Any) -> dict[str, Any]:
    """A struct's or result's fields by Solidity's names."""
    found = {f.name: f.type for f in fields(kind)} if is_dataclass(kind) else kind.__annotations__
    return {name.rstrip("_"): hint for name, hint in found.items()}


@cache
def plain(kind: str) -> st.SearchStrategy[Any]:
    word, size = re.fullmatch(r"([a-z]+)(\d*)", kind).groups()  # type: ignore[union-attr]
    if word == "uint":
        return st.integers(0, 2 ** int(size) - 1)
    if word == "int":
        return st.integers(-(2 ** (int(size) - 1)), 2 ** (int(size) - 1) - 1)
    if word == "address":
        return st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
    if word == "bytes":
        return st.binary(min_size=int(size or 0), max_size=int(size or 40))
    return {"bool": st.booleans(), "string": st.text(max_size=20)}[word]


def raws(item: dict[str, Any], kind: Any) -> st.SearchStrategy[Any]:
    """Values of a Solidity type the way eth_abi takes them."""
    if item["type"].endswith("]"):
        inner = raws(element(item), get_args(kind)[0])
        fixed = re.search(r"\[(\d+)\]$", item["type"])
        bounds = (int(fixed[1]), int(fixed[1])) if fixed else (0, 3)
        return st.lists(inner, min_size=bounds[0], max_size=bounds[1]).map(tuple)
    if item["type"] == "tuple":
        inners = zip(item["components"], hints(kind).values(), strict=True)
        return st.tuples(*(raws(c, k) for c, k in inners))
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return st.sampled_from(kind).map(int)
    return plain(item["type"])


def typed(item: dict[str, Any], raw: Any, kind: Any) -> Any:
    """The same value the way a binding takes and gives it."""
    if item["type"].endswith("]"):
        return tuple(typed(element(item), r, get_args(kind)[0]) for r in raw)
    if item["type"] == "tuple":
        assert list(hints(kind)) == [c["name"] for c in item["components"]]
        parts = zip(item["components"], raw, hints(kind).values(), strict=True)
        return kind(*(typed(c, r, k) for c, r, k in parts))
    if item["type"] == "address":
        return checksum_address(bytes.fromhex(raw[2:]))
    return kind(raw) if isinstance(kind, type) and issubclass(kind, IntEnum) else raw


def methods(contract: str) -> list[tuple[dict[str, Any], str]]:
    """Every function of the ABI and the method that stands for it."""
    cls = getattr(binding(contract), contract)
    left = {n for n in vars(cls) if not n.startswith("_")}
    left -= {"contract", "creation", "initialization"}
    found = []
    entries = [e for e in ARTIFACTS[contract]["abi"] if e["type"] == "function"]
    for entry in sorted(entries, key=lambda e: -len(e["inputs"])):
        name = snake(entry["name"])
        longer = [name, f"{name}_constant"][:: -1 if entry["name"].isupper() else 1]
        longer += [f"{name}_{snake(i['name'])}" for i in entry["inputs"] if len(entries) > 1]
        count = len(entry["inputs"])
        fit = [
            n
            for n in sorted(left & set(longer), key=longer.index)
            if len(set(get_type_hints(getattr(cls, n))) - {"return", "wei"}) == count
        ]
        if entry["name"] == "initialize":
            assert hasattr(cls, "initialization")
            continue
        found.append((entry, fit[0]))
        left.remove(fit[0])
    assert not left
    return found


@pytest.mark.parametrize("contract", sorted(ARTIFACTS))
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_a_binding_encodes_and_decodes_what_eth_abi_does(contract: str, data: Any) -> None:
    chain = Recorder()
    bound = getattr(binding(contract), contract)(chain)
    for entry, name in methods(contract):
        method = getattr(bound, name)
        known = get_type_hints(getattr(type(bound), name))
        result = known.pop("return")
        paid = known.pop("wei", None) is not None
        kinds = list(known.values())
        pairs = list(zip(entry["inputs"], kinds, strict=True))
        given_raw = [data.draw(raws(i, k)) for i, k in pairs]
        arguments = [typed(i, r, k) for (i, k), r in zip(pairs, given_raw, strict=True)]
        types = [canonical(i) for i in entry["inputs"]]
        selector = keccak256(f"{entry['name']}({','.join(types)})".encode())[:4]
        calldata = selector + encode(types, given_raw)
        if entry["stateMutability"] in ("view", "pure"):
            outputs = entry["outputs"]
            wanted = [result] if len(outputs) == 1 else list(hints(result).values())
            raw = [data.draw(raws(o, k)) for o, k in zip(outputs, wanted, strict=True)]
            chain.answer = encode([canonical(o) for o in outputs], raw)
            got = now(method(*arguments))
            assert chain.asked == (HERE, calldata, None)
            expected = [typed(o, r, k) for o, r, k in zip(outputs, raw, wanted, strict=True)]
            assert got == (expected[0] if len(outputs) == 1 else tuple(expected))
            assert isinstance(got, result) if isinstance(result, type) else type(got) is tuple
        else:
            call = method(*arguments, **({"wei": 7} if paid else {}))
            assert (call.contract, call.to, call.data) == (contract, HERE, calldata)
            assert (call.function.name, call.value) == (entry["name"], 7 if paid else 0)
            assert list(call.arguments.values()) == arguments
            assert paid == (entry["stateMutability"] == "payable")


@pytest.mark.parametrize("contract", sorted(ARTIFACTS))
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_a_builder_encodes_what_eth_abi_does(contract: str, data: Any) -> None:
    cls = getattr(binding(contract), contract)
    found = {e.get("name", e["type"]): e for e in ARTIFACTS[contract]["abi"]}
    for name, method, head in (
        ("constructor", cls.creation, bytes.fromhex(ARTIFACTS[contract]["bytecode"][2:])),
        ("initialize", getattr(cls, "initialization", None), None),
    ):
        if method is None:
            assert name not in found
            continue
        inputs = found.get(name, {"inputs": []})["inputs"]
        known = get_type_hints(method)
        assert known.pop("return") is bytes
        pairs = list(zip(inputs, known.values(), strict=True))
        raw = [data.draw(raws(i, k)) for i, k in pairs]
        types = [canonical(i) for i in inputs]
        head = head or keccak256(f"initialize({','.join(types)})".encode())[:4]
        arguments = [typed(i, r, k) for (i, k), r in zip(pairs, raw, strict=True)]
        assert method(*arguments) == head + encode(types, raw)


@pytest.mark.parametrize("contract", sorted(ARTIFACTS))
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_an_event_is_read_back(contract: str, data: Any) -> None:
    shared = importlib.import_module("infera_plugins.chains.evm.bindings.types")
    for entry in ARTIFACTS[contract]["abi"]:
        if entry["type"] != "event":
            continue
        cls = getattr(binding(contract), entry["name"], None) or getattr(shared, entry["name"])
        assert issubclass(cls, Event)
        types = ",".join(canonical(i) for i in entry["inputs"])
        topics = [keccak256(f"{entry['name']}({types})".encode())]
        rest, expected = [], []
        for item, kind in zip(entry["inputs"], hints(cls).values(), strict=True):
            raw = data.draw(raws(item, kind))
            if item["indexed"] and item["type"] in ("string", "bytes"):
                topics.append(keccak256(raw if isinstance(raw, bytes) else raw.encode()))
                expected.append(topics[-1])
                continue
            if item["indexed"]:
                topics.append(encode([item["type"]], [raw]))
            else:
                rest.append((canonical(item), raw))
            expected.append(typed(item, raw, kind))
        entry_log = {
            "address": HERE.lower(),
            "topics": ["0x" + t.hex() for t in topics],
            "data": "0x" + encode([t for t, _ in rest], [r for _, r in rest]).hex(),
        }
        (event,) = cls.among([entry_log, entry_log | {"topics": []}], HERE)
        assert [getattr(event, f.name) for f in fields(event)] == expected
        assert cls.among([entry_log], checksum_address(b"\x01" * 20)) == []
        other = entry_log | {"topics": ["0x" + "11" * 32, *entry_log["topics"][1:]]}
        assert cls.decode(other) is None


def test_a_contract_is_asked_as_of_a_block_and_at_an_address() -> None:
    chain = Recorder()
    chain.answer = encode(["uint256"], [5])
    elsewhere = checksum_address(b"\x09" * 20)
    assert now(INFR(chain, at=elsewhere, block=12).balance_of(HERE)) == 5
    assert chain.asked is not None
    assert (chain.asked[0], chain.asked[2]) == (elsewhere, 12)
    assert INFR(chain, "StakeRegistry").approve(HERE, 1).contract == "StakeRegistry"


def test_a_contract_that_is_not_deployed_is_named() -> None:
    chain = Recorder()
    del chain.contracts["INFR"]
    with pytest.raises(NeedsOperatorError, match="this deployment has no INFR"):
        INFR(chain)


def test_overloads_are_told_apart_by_what_they_take_more() -> None:
    vesting = Vesting(Recorder())
    assert vesting.release().function.inputs == ()
    assert vesting.release_token(HERE).function.inputs == ("address",)


def test_a_struct_is_made_from_the_protocols_own_message() -> None:
    header = ProtocolHeader(
        router=HERE, index=3, jobs_root=b"\x01" * 32, debits_root=b"\x02" * 32,
        credits_root=b"\x03" * 32, decisions_root=b"\x04" * 32, count=5, grants=6, providers=7,
        tiers=2, debited=9, credited=8, fees=1,
    )  # fmt: skip
    made = BatchHeader.of(header)
    assert (made.router, made.jobsRoot, made.decisionsRoot) == (HERE, b"\x01" * 32, b"\x04" * 32)
    # The message's fields, in the message's order, are what the contract is given.
    known = JobRegistry(Recorder()).commit_batch(made).function
    assert JobRegistry(Recorder()).commit_batch(made).data == known.call(header)
    with pytest.raises(AttributeError, match="jobs_root"):
        BatchHeader.of(made)


def test_every_struct_and_enum_carries_soliditys_names() -> None:
    assert [(r.name, int(r)) for r in Role] == [
        ("None_", 0), ("Provider", 1), ("Router", 2), ("Validator", 3),
    ]  # fmt: skip
    assert issubclass(BatchHeader, Struct)
    assert [f.name for f in fields(BatchHeader)][:3] == ["router", "index", "jobsRoot"]


def test_loading_one_binding_loads_no_other() -> None:
    code = (
        "import sys, infera_plugins.chains.evm.binding\n"
        "before = set(sys.modules)\n"
        "import infera_plugins.chains.evm.bindings.infr\n"
        "print(*sorted(m for m in set(sys.modules) - before if '.evm.bindings.' in m))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    near = "infera_plugins.chains.evm.bindings."
    assert set(run.stdout.split()) <= {near + "infr", near + "types"}


# -- the generator


def texts() -> dict[str, str]:
    outputs = {name: {"abi": artifact["abi"]} for name, artifact in sorted(ARTIFACTS.items())}
    made: dict[str, str] = script("bindings").generate(outputs, [])
    return made


def test_the_same_abis_make_the_same_text() -> None:
    code = (
        "import json, sys, hashlib, pathlib, bindings\n"
        "read = sorted(pathlib.Path(sys.argv[1]).glob('*.json'))\n"
        "outputs = {p.stem: {'abi': json.loads(p.read_text())['abi']} for p in read}\n"
        "print(hashlib.sha256(repr(bindings.generate(outputs, [])).encode()).hexdigest())"
    )
    found = {hashlib.sha256(repr(texts()).encode()).hexdigest()}
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code, str(EVM / "artifacts")],
            capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "contracts/script")},
        )  # fmt: skip
        found.add(run.stdout.strip())
    assert len(found) == 1


def test_without_their_source_enums_are_numbers() -> None:
    assert (
        "def stake(self, role: int, amount: int, hot_key: Address) -> Call:"
        in (texts()["stake_registry.py"])
    )


def test_a_stale_binding_is_found(tmp_path: Path) -> None:
    bindings, made = script("bindings"), texts()
    bindings.write(made, tmp_path)
    assert bindings.stale(made, tmp_path) == []
    (tmp_path / "infr.py").write_text(made["infr.py"].replace("int", "bool", 1))
    (tmp_path / "vesting.py").unlink()
    (tmp_path / "gone.py").write_text("")
    assert bindings.stale(made, tmp_path) == [
        "bindings/infr.py: differs",
        "bindings/vesting.py: is not committed",
        "bindings/gone.py: of no contract",
    ]
    bindings.write(made, tmp_path)
    assert not (tmp_path / "gone.py").exists()
    assert bindings.stale(made, tmp_path) == []


def test_check_fails_when_a_binding_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    build = script("build")
    committed = {p.name: p.read_text() for p in build.bindings.BINDINGS.glob("*.py")}
    books = {p.stem: json.loads(p.read_text()) for p in (EVM / "layouts").glob("*.json")}
    laid = {
        name: (book["now"], book["layouts"][book["sources"][book["now"]]])
        for name, book in books.items()
    }
    changed = committed | {"infr.py": committed["infr.py"] + "\n"}
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    monkeypatch.setattr(build, "build", lambda: (ARTIFACTS, committed, laid))
    build.main()
    monkeypatch.setattr(build, "build", lambda: (ARTIFACTS, changed, laid))
    with pytest.raises(SystemExit, match=r"bindings/infr\.py: differs"):
        build.main()


def parameter(internal: str, name: str = "it", **fields: str) -> dict[str, Any]:
    """A struct with these fields, or an enum without any."""
    if not fields:
        return {"name": name, "type": "uint8", "internalType": internal}
    parts = [{"name": n, "type": t, "internalType": t} for n, t in fields.items()]
    return {"name": name, "type": "tuple", "internalType": internal, "components": parts}


def taking(name: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "function", "name": name, "inputs": list(inputs), "outputs": [],
        "stateMutability": "nonpayable",
    }  # fmt: skip


def source(path: str, kind: str, name: str, *members: str) -> dict[str, Any]:
    """What the compiler tells of a file with one definition outside of contracts."""
    node = {"nodeType": kind, "canonicalName": name, "members": [{"name": m} for m in members]}
    return {"nodeType": "SourceUnit", "absolutePath": path, "nodes": [node]}


def test_types_of_one_name_are_told_apart_by_where_they_are_defined() -> None:
    generate = script("bindings").generate
    outputs = {
        "Court": {"abi": [taking("examine", parameter("struct Finding", batch="uint64"))]},
        "Desk": {
            "abi": [
                taking("report", parameter("enum Finding")),
                taking("pay", parameter("struct Bill", net="uint64")),
                taking("bill", parameter("struct IDesk.Bill", gross="uint64")),
                taking("keep", parameter("struct Finding", batch="uint64")),
            ]
        },
    }
    asts = [
        source("src/Faults.sol", "StructDefinition", "Finding", "batch"),
        source("src/IBook.sol", "EnumDefinition", "Finding", "None", "Upheld"),
        source("src/Bills.sol", "StructDefinition", "Bill", "net"),
    ]
    made = generate(outputs, asts)
    shared, desk = made["types.py"], made["desk.py"]
    assert "class FaultsFinding(Struct):" in shared
    assert "class BookFinding(IntEnum):" in shared
    assert "class BillsBill(Struct):" in shared
    assert "class DeskBill(Struct):" in desk
    assert "from .types import BillsBill, BookFinding, FaultsFinding\n" in desk
    assert "def report(self, it: BookFinding) -> Call:" in desk
    assert "def pay(self, it: BillsBill) -> Call:" in desk
    assert "def bill(self, it: DeskBill) -> Call:" in desk
    assert "def examine(self, it: FaultsFinding) -> Call:" in made["court.py"]
    # The order of the sources does not matter.
    assert generate(outputs, asts[::-1]) == made


def test_a_name_that_one_module_sees_once_stays_short() -> None:
    outputs = {
        name: {"abi": [taking("set", parameter(f"struct I{name}.Rule", **{name.lower(): "bool"}))]}
        for name in ("Court", "Desk")
    }
    made = script("bindings").generate(outputs, [])
    assert "class Rule(Struct):" in made["court.py"]
    assert "class Rule(Struct):" in made["desk.py"]


def test_types_that_cannot_be_told_apart_are_refused() -> None:
    outputs = {"Desk": {"abi": [taking("report", parameter("enum Finding"))]}}
    asts = [
        source("src/A.sol", "EnumDefinition", "Finding", "None"),
        source("src/B.sol", "EnumDefinition", "Finding", "Some"),
    ]
    with pytest.raises(SystemExit, match="two definitions of enum Finding"):
        script("bindings").generate(outputs, asts)
    # Without the sources two structs have no scope to be called after.
    parts = [parameter("struct Row", key="bytes32"), parameter("struct Row", total="uint64")]
    outputs = {"Desk": {"abi": [taking("a", parts[0]), taking("b", parts[1])]}}
    with pytest.raises(SystemExit, match="Row would be defined twice"):
        script("bindings").generate(outputs, [])


WRONG = """
from infera_plugins.chains.evm.binding import Reader
from infera_plugins.chains.evm.bindings.reputation import Reputation
from infera_plugins.chains.evm.bindings.types import FaultsFinding, ReputationFinding

def record(chain: Reader, court: FaultsFinding) -> None:
    Reputation(chain).record(court.router, ReputationFinding.Upheld)
    Reputation(chain).record(court.router, court)
    Reputation(chain).record(7, ReputationFinding.Upheld)
    Reputation(chain).recrod(court.router, ReputationFinding.Upheld)
"""


def test_mypy_refuses_wrong_arguments(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    run = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--strict", "--no-error-summary",
            "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path / "wrong.py"),
        ],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    told = re.findall(r"wrong\.py:(\d+): error: .*\[([\w-]+)\]", run.stdout)
    assert told == [("8", "arg-type"), ("9", "arg-type"), ("10", "attr-defined")], run.stdout


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Pays out. Then more.", "Pays out."),
        ("See {IStakeRegistry-stake}", "See `IStakeRegistry-stake`."),
        ('Says "no"\n  in two lines. x', "Says 'no' in two lines."),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_comment(text: str, first: str) -> None:
    assert script("bindings").first_sentence(text) == first


def test_bindings_are_contracts() -> None:
    for name in ARTIFACTS:
        cls = getattr(binding(name), name)
        assert issubclass(cls, Contract)
        assert cls.contract == name
