"""The embedded chain answers as anvil does: the same signed transactions, the same results."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.keys import Signer
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.embedded import EmbeddedNode
from infera_plugins.chains.evm.transactions import Draft, Fees, sign
from infera_plugins.chains.evm.transport import make_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
OTHER = Signer(b"\x21" * 32)
INFR, STAKES, PROXY = interface("INFR"), interface("StakeRegistry"), interface("Proxy")
ETHER = 10**18


@asynccontextmanager
async def anvil(folder: Path) -> AsyncIterator[Any]:
    found = sorted(ROOT.glob("contracts/node_modules/@foundry-rs/anvil-*/bin/anvil"))
    binary = str(found[0]) if found else shutil.which("anvil")
    if binary is None:
        pytest.skip("anvil is not installed (npm package @foundry-rs/anvil, or on PATH)")
    command = [binary, "--port", "0", "--hardfork", "prague", "--ipc", str(folder / "anvil.ipc")]
    environment = {**os.environ, "NO_COLOR": "1"}
    async with await anyio.open_process(
        command, stderr=subprocess.STDOUT, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            text = ""
            with anyio.fail_after(20):
                while "Listening on" not in text:
                    text += (await process.stdout.receive()).decode()
            transport = make_transport(f"ipc://{folder / 'anvil.ipc'}")
            try:
                yield transport
            finally:
                await transport.disconnect()
        finally:
            process.kill()


def program() -> list[str]:
    """Raw transactions: transfers, creations, calls, reverts and failures, with fixed nonces."""
    infr = "0x5FbDB2315678afecb367f032d93F642f64180aa3"  # first contract of the rich account
    logic = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
    proxy = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
    setup = STAKES.functions["initialize"].call(
        FAUCET.address, infr, 60, 10 * ETHER, 20 * ETHER, 30 * ETHER
    )
    call = {name: INFR.functions[name].call for name in ("transfer", "approve", "delegate")}
    stake = STAKES.functions["stake"].call
    steps: list[tuple[Signer, str | None, int, bytes]] = [
        (FAUCET, None, 0, INFR.creation([(FAUCET.address, 10**9 * ETHER)])),
        (FAUCET, None, 0, STAKES.creation()),
        (FAUCET, None, 0, PROXY.creation(logic, setup)),
        (FAUCET, OTHER.address, 5 * ETHER, b""),
        (FAUCET, infr, 0, call["transfer"](OTHER.address, 100 * ETHER)),
        (OTHER, infr, 0, call["approve"](proxy, 50 * ETHER)),
        (OTHER, infr, 0, call["delegate"](OTHER.address)),
        (OTHER, proxy, 0, stake(1, 5 * ETHER, OTHER.address)),  # below the minimum
        (OTHER, proxy, 0, stake(1, 15 * ETHER, OTHER.address)),
        (OTHER, proxy, 0, stake(1, 500 * ETHER, OTHER.address)),  # more than approved
        (
            OTHER,
            proxy,
            0,
            STAKES.functions["setProfile"].call("wss://router.example/net", "x" * 40),
        ),
        (OTHER, proxy, 0, STAKES.functions["unbond"].call(1, 1 * ETHER)),
        (OTHER, infr, 0, call["transfer"](FAUCET.address, 5 * ETHER)),
        (OTHER, infr, 1, call["transfer"](FAUCET.address, 5 * ETHER)),  # not payable
        (FAUCET, None, 0, bytes.fromhex("fe")),
        (FAUCET, None, 0, bytes.fromhex("6000600055600160005560005ff3")),
    ]
    nonces: dict[str, int] = {}
    raws = []
    for signer, to, value, data in steps:
        nonce = nonces.get(signer.address, 0)
        nonces[signer.address] = nonce + 1
        draft = Draft(nonce, 6_000_000, to, value, data)
        raws.append("0x" + sign(draft, Fees(10**6, 10 * 10**9), 31337, signer)[0].hex())
    return raws


SAME_RECEIPT = (
    "status", "gasUsed", "cumulativeGasUsed", "contractAddress", "from", "to", "type",
    "transactionIndex", "transactionHash", "logsBloom",
)  # fmt: skip
SAME_TX = (
    "hash",
    "nonce",
    "from",
    "to",
    "value",
    "gas",
    "input",
    "type",
    "chainId",
    "maxFeePerGas",
    "r",
    "s",
)


def lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


async def ask(node: Any, method: str, *params: Any) -> Any:
    return await node.make_request(method, list(params))


async def mined(node: Any, tx: str) -> Any:
    """The receipt; anvil answers a send before it has mined."""
    with anyio.fail_after(10):
        while (receipt := (await ask(node, "eth_getTransactionReceipt", tx))["result"]) is None:
            pass
    return receipt


async def test_the_same_transactions_have_the_same_outcome(tmp_path: Path) -> None:
    alloc = {bytes.fromhex(FAUCET.address[2:]): 10_000 * ETHER}
    async with anvil(tmp_path) as theirs:
        # What contracts write down depends on the time: a second a block, the same on both sides.
        await ask(theirs, "anvil_setBlockTimestampInterval", 1)
        genesis = (await ask(theirs, "eth_getBlockByNumber", "0x0", False))["result"]
        start = int(genesis["timestamp"], 16)

        def clock() -> int:
            return start + (ours.ledger.head.block_number + 1 if ours.is_open else 0)

        ours = EmbeddedNode.at(None, chain_id=31337, alloc=alloc, clock=clock)
        await ours.connect()
        seen = 0
        for raw in program():
            outcome = []
            for node in (ours, theirs):
                sent = await ask(node, "eth_sendRawTransaction", raw)
                receipt = await mined(node, sent["result"])
                tx = (await ask(node, "eth_getTransactionByHash", sent["result"]))["result"]
                logs = [
                    {k: lower(entry[k]) for k in ("address", "topics", "data", "logIndex")}
                    for entry in receipt["logs"]
                ]
                outcome.append(
                    (
                        {k: lower(receipt.get(k)) for k in SAME_RECEIPT},
                        {k: lower(tx.get(k)) for k in SAME_TX},
                        logs,
                    )
                )
            assert outcome[0] == outcome[1]
            seen += outcome[0][0]["status"] == "0x0"
        assert seen == 4
        await reads_alike(ours, theirs)
        await ours.disconnect()


async def reads_alike(ours: EmbeddedNode, theirs: Any) -> None:
    infr, proxy = (
        "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0",
    )
    transfer = "0x" + INFR.functions["transfer"].call(OTHER.address, 10**9 * ETHER).hex()
    owner = "0x" + STAKES.functions["operators"].call(1, 0, 10).hex()
    topics = [None, "0x" + "0" * 24 + OTHER.address[2:].lower()]
    queries: list[tuple[str, list[Any]]] = [
        ("eth_call", [{"to": proxy, "data": owner}, "latest"]),
        ("eth_getCode", [proxy, "latest"]),
        ("eth_getCode", [OTHER.address, "latest"]),
        ("eth_getStorageAt", [infr, "0x2", "latest"]),
        ("eth_getTransactionCount", [OTHER.address, "pending"]),
        ("eth_getTransactionCount", [FAUCET.address, "latest"]),
        ("eth_getBalance", [infr, "latest"]),
        ("eth_getTransactionReceipt", ["0x" + "12" * 32]),
        ("eth_getBlockByNumber", ["0xffff", False]),
        ("eth_chainId", []),
        ("net_version", []),
    ]
    for method, params in queries:
        left, right = await ask(ours, method, *params), await ask(theirs, method, *params)
        assert lower(left["result"]) == lower(right["result"]), method
    for query in (
        {"fromBlock": "0x0", "toBlock": "latest"},
        {"fromBlock": "0x0", "toBlock": "latest", "address": infr, "topics": topics},
        {"fromBlock": "0x2", "toBlock": "0x9", "address": [infr, proxy]},
        {"fromBlock": "0x5", "toBlock": "0x5", "topics": [[], []]},
    ):
        left, right = await ask(ours, "eth_getLogs", query), await ask(theirs, "eth_getLogs", query)
        strip = ("address", "topics", "data", "blockNumber", "logIndex", "transactionHash")
        assert [[lower(e[k]) for k in strip] for e in left["result"]] == [
            [lower(e[k]) for k in strip] for e in right["result"]
        ]
    refused = {"from": OTHER.address, "to": infr, "data": transfer}
    for method in ("eth_call", "eth_estimateGas"):
        left, right = await ask(ours, method, refused), await ask(theirs, method, refused)
        assert left["error"]["code"] == right["error"]["code"] == 3
        assert left["error"]["data"] == right["error"]["data"]
    fine = {"from": FAUCET.address, "to": infr, "data": transfer[:74] + f"{ETHER:064x}"}
    left, right = [
        int((await ask(n, "eth_estimateGas", fine))["result"], 16) for n in (ours, theirs)
    ]
    assert abs(left - right) <= 0.05 * right
    for raw in (program()[0], "0x02c0", "0x"):
        assert "error" in await ask(ours, "eth_sendRawTransaction", raw)
        assert "error" in await ask(theirs, "eth_sendRawTransaction", raw)
