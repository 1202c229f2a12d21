#!/usr/bin/env python3
"""Compile the contracts and write what the Python side has of them.

    npm ci && python3 script/build.py    write artifacts, typed bindings and storage layouts of the
                                         plugin plugins/infera_plugins/chains/evm
    python3 script/build.py --check      compile again and fail if a committed file differs

The result depends on the sources and on the pinned compiler alone: no metadata hash, no paths,
no time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import bindings
import layout

CONTRACTS = Path(__file__).resolve().parent.parent
ARTIFACTS = CONTRACTS.parent / "plugins/infera_plugins/chains/evm/artifacts"

SOURCES = {
    "INFR": "src/INFR.sol",
    "DevUSDC": "src/dev/DevUSDC.sol",
    "DevPriceFeed": "src/dev/DevPriceFeed.sol",
    "Buyback": "src/treasury/Buyback.sol",
    "SlaRegistry": "src/stake/SlaRegistry.sol",
    "StakeRegistry": "src/StakeRegistry.sol",
    "JobRegistry": "src/JobRegistry.sol",
    "PaymentVault": "src/PaymentVault.sol",
    "ModelRegistry": "src/models/ModelRegistry.sol",
    "HotPool": "src/models/HotPool.sol",
    "InferaAdapter": "src/adapter/InferaAdapter.sol",
    "BatchCourt": "src/court/BatchCourt.sol",
    "BatchExaminer": "src/court/BatchExaminer.sol",
    "DisputeManager": "src/dispute/DisputeManager.sol",
    "ClaimDesk": "src/court/ClaimDesk.sol",
    "CheckDesk": "src/reputation/CheckDesk.sol",
    "VeINFR": "src/governance/VeINFR.sol",
    "InferaTimelock": "src/governance/InferaTimelock.sol",
    "InferaGovernor": "src/governance/InferaGovernor.sol",
    "Vesting": "src/token/Vesting.sol",
    "EcosystemVesting": "src/token/EcosystemVesting.sol",
    "LockedLiquidity": "src/token/LockedLiquidity.sol",
    "Distribution": "src/token/Distribution.sol",
    "AttestationVerifier": "src/attestation/AttestationVerifier.sol",
    "EvidenceQuorum": "src/attestation/EvidenceQuorum.sol",
    "TdxVerifier": "src/attestation/TdxVerifier.sol",
    "ZkVerifier": "src/zk/ZkVerifier.sol",
    "Reputation": "src/reputation/Reputation.sol",
    "ERC1967Proxy": "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol",
}

SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": False,
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {
        "*": {
            "": ["ast"],
            "*": [
                "abi",
                "devdoc",
                "userdoc",
                "storageLayout",
                "evm.bytecode.object",
                "evm.deployedBytecode.object",
            ],
        }
    },
}

IMPORT = re.compile(r"""^\s*import\s+(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']""", re.MULTILINE)
EIP170_LIMIT = 24_576


def read(name: str) -> str:
    path = CONTRACTS / ("node_modules/" + name if name.startswith("@") else name)
    return path.read_text(encoding="utf-8")


def normalise(name: str) -> str:
    parts: list[str] = []
    for part in PurePosixPath(name).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def imports(name: str, text: str) -> list[str]:
    folder = PurePosixPath(name).parent
    return [
        normalise(f"{folder}/{path}") if path.startswith(".") else path
        for path in IMPORT.findall(text)
    ]


def closure(root: str) -> dict[str, str]:
    """Every source `root` needs, by name, in name order."""
    found: dict[str, str] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = read(name)
            waiting += imports(name, found[name])
    return dict(sorted(found.items()))


def compiler_version() -> str:
    output = solc("--version")
    return output.rsplit("Version: ", 1)[1].strip()


def solc(*args: str, stdin: str | None = None) -> str:
    command = ["node", str(CONTRACTS / "bin/solc"), *args]
    return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout


def compile_sources(sources: dict[str, str], settings: dict[str, Any] = SETTINGS) -> dict[str, Any]:
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": settings,
    }
    output: dict[str, Any] = json.loads(solc("--standard-json", stdin=json.dumps(request)))
    errors = [
        error["formattedMessage"]
        for error in output.get("errors", [])
        if error["severity"] == "error"
    ]
    if errors:
        sys.exit("".join(errors))
    return output


def digest(sources: dict[str, str]) -> str:
    hasher = hashlib.sha256()
    for name, text in sources.items():
        hasher.update(f"{name}\0{hashlib.sha256(text.encode()).hexdigest()}\n".encode())
    return hasher.hexdigest()


def build() -> tuple[dict[str, Any], dict[str, str], dict[str, tuple[str, Any]]]:
    """(artifacts by contract, texts of the bindings by file name, source hash and storage layout by
    upgradeable contract).
    """
    closures = {contract: closure(source) for contract, source in SOURCES.items()}
    everything = {name: text for sources in closures.values() for name, text in sources.items()}
    output = compile_sources(dict(sorted(everything.items())))
    compiled = {name: output["contracts"][source][name] for name, source in SOURCES.items()}
    compiler = {
        "version": compiler_version(),
        "evmVersion": SETTINGS["evmVersion"],
        "optimizerRuns": SETTINGS["optimizer"]["runs"],
        "viaIR": SETTINGS["viaIR"],
    }
    artifacts = {}
    for contract, source in SOURCES.items():
        made = compiled[contract]
        size = len(made["evm"]["deployedBytecode"]["object"]) // 2
        if size > EIP170_LIMIT:
            sys.exit(f"{contract} is {size} bytes long; a chain accepts {EIP170_LIMIT}.")
        artifacts[contract] = {
            "contractName": contract,
            "sourceName": source,
            "abi": made["abi"],
            "bytecode": "0x" + made["evm"]["bytecode"]["object"],
            "deployedBytecodeSize": size,
            "compiler": compiler,
            "sourceHash": digest(closures[contract]),
        }
    asts = {name: source["ast"] for name, source in sorted(output["sources"].items())}

    def compile_probe(text: str) -> dict[str, Any]:
        settings = SETTINGS | {"outputSelection": {layout.PROBE: {"*": ["storageLayout"]}}}
        found: dict[str, Any] = compile_sources({**everything, layout.PROBE: text}, settings)
        return found["contracts"][layout.PROBE]

    laid = layout.layouts(compiled, SOURCES, asts, compile_probe)
    hashed = {name: (artifacts[name]["sourceHash"], made) for name, made in laid.items()}
    return artifacts, bindings.generate(compiled, list(asts.values())), hashed


def signature(entry: dict[str, Any]) -> str:
    inputs = ",".join(parameter["type"] for parameter in entry.get("inputs", []))
    return f"{entry['type']} {entry.get('name', '')}({inputs})"


def differences(
    contract: str, built: dict[str, Any], committed: dict[str, Any] | None
) -> list[str]:
    if committed is None:
        return [f"{contract}: no artifact is committed"]
    lines = [
        f"{contract}: {key} differs"
        for key in built
        if built[key] != committed.get(key) and key != "abi"
    ]
    now = {signature(entry) for entry in built["abi"]}
    then = {signature(entry) for entry in committed["abi"]}
    lines += [f"{contract}: + {entry}" for entry in sorted(now - then)]
    lines += [f"{contract}: - {entry}" for entry in sorted(then - now)]
    if built["abi"] != committed["abi"] and now == then:
        lines.append(f"{contract}: abi differs in names, outputs or mutability")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check

    artifacts, texts, laid = build()
    if check:
        lines: list[str] = []
        for contract, built in artifacts.items():
            path = ARTIFACTS / f"{contract}.json"
            lines += differences(
                contract, built, json.loads(path.read_text()) if path.exists() else None
            )
        strangers = {path.stem for path in ARTIFACTS.glob("*.json")} - artifacts.keys()
        lines += [f"{name}: artifact of no contract" for name in sorted(strangers)]
        lines += bindings.stale(texts) + layout.stale(laid)
        if lines:
            sys.exit(
                "\n".join([*lines, "Run contracts/script/build.py and commit what it writes."])
            )
        print(f"{len(artifacts)} artifacts, their bindings and layouts match the sources")
        return
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for contract, built in artifacts.items():
        (ARTIFACTS / f"{contract}.json").write_text(
            json.dumps(built, indent=1) + "\n", encoding="utf-8"
        )
        print(f"{contract:15} {built['deployedBytecodeSize']:6} bytes")
    bindings.write(texts)
    layout.write(laid)


if __name__ == "__main__":
    main()
