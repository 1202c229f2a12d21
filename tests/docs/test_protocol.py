"""docs/protocol: each contract has one page, and the page names what the contract has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
PROTOCOL = ROOT / "docs" / "protocol"
ARTIFACTS = ROOT / "plugins" / "infera_plugins" / "chains" / "evm" / "artifacts"

#: Whose functions and events a page has to name.
PAGES = {
    "adapter": ("InferaAdapter",),
    "attestation": ("AttestationVerifier", "TdxVerifier", "EvidenceQuorum"),
    "buyback": ("Buyback",),
    "claims": ("ClaimDesk",),
    "court": ("BatchCourt", "BatchExaminer"),
    "dispute": ("DisputeManager",),
    "distribution": ("Distribution", "Vesting", "EcosystemVesting", "LockedLiquidity"),
    "governance": ("InferaGovernor", "InferaTimelock"),
    "hot-pool": ("HotPool",),
    "infr": ("INFR", "DevUSDC", "DevPriceFeed"),
    "jobs": ("JobRegistry",),
    "models": ("ModelRegistry",),
    "reputation": ("Reputation", "CheckDesk"),
    "sla": ("SlaRegistry",),
    "stake": ("StakeRegistry",),
    "vault": ("PaymentVault",),
    "veinfr": ("VeINFR",),
    "zk": ("ZkVerifier",),
}
#: Of all contracts with an owner or a proxy; docs/protocol.md speaks of them once.
SHARED = {
    "initialize", "upgradeToAndCall", "transferOwnership", "acceptOwnership", "renounceOwnership",
    "Initialized", "Upgraded", "OwnershipTransferStarted", "OwnershipTransferred",
    "EIP712DomainChanged",
    # Lets a governor or timelock receive tokens.
    "onERC721Received", "onERC1155Received", "onERC1155BatchReceived",
}  # fmt: skip
#: Not a contract of the network.
OTHERS = {"ERC1967Proxy"}

each_page = pytest.mark.parametrize("page", sorted(PAGES))


def text_of(page: str) -> str:
    return (PROTOCOL / f"{page}.md").read_text(encoding="utf-8")


def entries(contract: str) -> list[dict[str, Any]]:
    artifact = json.loads((ARTIFACTS / f"{contract}.json").read_text("utf-8"))
    abi: list[dict[str, Any]] = artifact["abi"]
    return [entry for entry in abi if entry.get("name") not in SHARED]


def test_every_contract_has_one_page() -> None:
    contracts = sorted(contract for page in PAGES.values() for contract in page)
    assert contracts == sorted({path.stem for path in ARTIFACTS.glob("*.json")} - OTHERS)
    assert {path.stem for path in PROTOCOL.glob("*.md")} == {*PAGES, "gas"}


@each_page
def test_every_function_has_somebody_who_can_call_it(page: str) -> None:
    section = text_of(page).partition("## Who can call what\n")[2].partition("\n## ")[0]
    functions = {
        entry["name"]
        for contract in PAGES[page]
        for entry in entries(contract)
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    }
    assert sorted(name for name in functions if f"`{name}`" not in section) == []


@each_page
def test_every_event_is_named_with_its_arguments(page: str) -> None:
    text = text_of(page)
    events = {
        f"`{entry['name']}({', '.join(argument['name'] for argument in entry['inputs'])})`"
        for contract in PAGES[page]
        for entry in entries(contract)
        if entry["type"] == "event" and not contract.startswith(("INFR", "Dev"))
    }
    assert sorted(event for event in events if event not in text) == []


@each_page
def test_every_page_says_what_holds_and_what_governors_cannot_do(page: str) -> None:
    titles = re.findall(r"^## (.*)$", text_of(page), re.M)
    assert {"Who can call what", "What a governor cannot do", "Invariants"} <= set(titles)


@pytest.mark.parametrize("page", sorted(path.stem for path in PROTOCOL.glob("*.md")))
def test_diagrams_are_mermaid_and_every_state_is_reached(page: str) -> None:
    for diagram in re.findall(r"^```mermaid\n(.*?)^```$", text_of(page), re.M | re.S):
        head, *lines = diagram.splitlines()
        assert head == "stateDiagram-v2"
        # Neither colons nor semicolons may be in a label.
        moves = [re.fullmatch(r" +(\S+) --> (\S+): [^:;]+| +(\S+) --> (\[\*\])", s) for s in lines]
        assert [line for line, move in zip(lines, moves, strict=True) if move is None] == []
        pairs = [(move[1] or move[3], move[2] or move[4]) for move in moves if move]
        reached = {"[*]"}
        for _ in pairs:
            reached |= {after for before, after in pairs if before in reached}
        assert {state for pair in pairs for state in pair} == reached


def test_every_named_test_is_one() -> None:
    sources = "".join(path.read_text("utf-8") for path in CONTRACTS.glob("test/**/*.sol"))
    there = set(re.findall(r"\bfunction (\w+)", sources))
    pages = [*PROTOCOL.glob("*.md"), ROOT / "docs" / "protocol.md"]
    named = {
        name
        for page in pages
        for name in re.findall(r"`((?:test|testFuzz|invariant)_\w+)`", page.read_text("utf-8"))
    }
    assert named
    assert sorted(named - there) == []


def test_gas_is_what_the_snapshots_say() -> None:
    script = CONTRACTS / "script" / "gas_table.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
