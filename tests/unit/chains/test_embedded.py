"""The embedded chain behaves as a node does."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import AsyncWeb3

from infera.errors import ChainError
from infera.keys import Signer
from infera_plugins.chains.evm.contracts import describe_revert, interface
from infera_plugins.chains.evm.embedded.ledger import FIRST_IDLE_BLOCKS, RpcError
from infera_plugins.chains.evm.embedded.provider import EmbeddedProvider
from infera_plugins.chains.evm.embedded.store import ChainStore, LogFilter, StoredLog
from infera_plugins.chains.evm.embedded.vm import p256_verify
from infera_plugins.chains.evm.rpc import RpcFailureError
from infera_plugins.chains.evm.transactions import Draft, Fees, sign

if TYPE_CHECKING:
    from pathlib import Path

USDC = interface("USDC")
GWEI = 10**9
FEES = Fees(10**6, 3 * GWEI)


def raw(local: Any, nonce: int, *, to: str | None = None, value: int = 1, **options: Any) -> str:
    """A signed transfer from the rich account."""
    draft = Draft(
        nonce, options.get("gas", 30_000), to or "0x" + "22" * 20, value, options.get("data", b"")
    )
    signer = options.get("signer", local.faucet)
    return "0x" + sign(draft, options.get("fees", FEES), 31337, signer)[0].hex()


async def token(local: Any) -> str:
    """A deployed DevUSDC owned by the rich account."""
    receipt = await local.sender.send(local.faucet, None, USDC.creation(local.faucet.address))
    assert receipt.created
    return str(receipt.created)


async def test_a_transfer_is_mined_at_once(local: Any) -> None:
    tx = await local.ask("eth_sendRawTransaction", raw(local, 0, value=7))
    receipt = await local.ask("eth_getTransactionReceipt", tx)
    assert (receipt["status"], receipt["gasUsed"], receipt["blockNumber"]) == (
        "0x1",
        "0x5208",
        "0x1",
    )
    assert await local.ask("eth_getBalance", "0x" + "22" * 20) == "0x7"
    block = await local.ask("eth_getBlockByNumber", "0x1", True)
    assert block["transactions"][0]["hash"] == tx
    assert block["transactions"][0] == await local.ask("eth_getTransactionByHash", tx)
    assert block == await local.ask("eth_getBlockByHash", block["hash"], True)
    before = await local.ask("eth_getBalance", "0x" + "22" * 20, "0x0")
    assert before == "0x0"


async def test_a_burst_shares_a_block_in_order_of_nonces(local: Any) -> None:
    for nonce in (2, 0, 1, 4):
        await local.ask("eth_sendRawTransaction", raw(local, nonce))
    assert await local.ask("eth_blockNumber") == "0x1"
    assert await local.ask("eth_getTransactionCount", local.faucet.address) == "0x3"
    await local.ask("eth_sendRawTransaction", raw(local, 3))
    assert await local.ask("eth_getTransactionCount", local.faucet.address, "pending") == "0x5"
    block = await local.ask("eth_getBlockByNumber", "0x1", True)
    assert [t["nonce"] for t in block["transactions"]] == ["0x0", "0x1", "0x2"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nonce": 0}, "nonce too low"),
        ({"nonce": 1, "gas": 20_000}, "intrinsic gas too low"),
        ({"nonce": 1, "gas": 10**9}, "exceeds block gas limit"),
        ({"nonce": 1, "fees": Fees(1, 1)}, "max fee per gas less than block base fee"),
        ({"nonce": 0, "signer": Signer(b"\x05" * 32)}, "insufficient funds"),
    ],
)
async def test_bad_transactions_are_refused_in_geths_words(
    local: Any, options: dict[str, Any], words: str
) -> None:
    await local.ask("eth_sendRawTransaction", raw(local, 0))
    await local.ask("eth_blockNumber")
    with pytest.raises(RpcFailureError, match=words):
        await local.ask("eth_sendRawTransaction", raw(local, **options))


async def test_replacing_asks_for_a_tenth_more(local: Any) -> None:
    first = await local.ask("eth_sendRawTransaction", raw(local, 5))
    with pytest.raises(RpcFailureError, match="already known"):
        await local.ask("eth_sendRawTransaction", raw(local, 5))
    with pytest.raises(RpcFailureError, match="replacement transaction underpriced"):
        await local.ask("eth_sendRawTransaction", raw(local, 5, value=2))
    dearer = Fees(FEES.tip * 2, FEES.ceiling * 2)
    second = await local.ask("eth_sendRawTransaction", raw(local, 5, value=2, fees=dearer))
    assert first != second
    assert list(local.node.ledger.pool) == [bytes.fromhex(second[2:])]


async def test_nonsense_is_answered_not_raised(local: Any) -> None:
    for method, params, code in (
        ("eth_nonsense", [], -32601),
        ("eth_getBalance", ["0x12"], -32602),
        ("eth_getBalance", [], -32602),
        ("eth_sendRawTransaction", ["0x02c0"], -32000),
        ("eth_getBlockByNumber", ["zzz"], -32602),
    ):
        answer = await local.node.make_request(method, params)
        assert answer["error"]["code"] == code, method
    assert await local.ask("eth_getTransactionReceipt", "0x" + "11" * 32) is None
    assert await local.ask("eth_getBlockByNumber", "0x99") is None


async def test_reverts_carry_their_data(local: Any) -> None:
    address = await token(local)
    call = {
        "from": local.faucet.address,
        "to": address,
        "data": "0x" + USDC.functions["transfer"].call("0x" + "33" * 20, 5).hex(),
    }
    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(RpcFailureError, match="execution reverted") as refused:
            await local.ask(method, call)
        assert refused.value.rpc_code == 3
        assert refused.value.revert_data is not None
        assert describe_revert(refused.value.revert_data) == (
            f"ERC20InsufficientBalance({local.faucet.address}, 0, 5)"
        )
    with pytest.raises(ChainError) as failed:
        await local.sender.send(local.faucet, address, bytes.fromhex(call["data"][2:]), gas=100_000)
    assert failed.value.revert == f"ERC20InsufficientBalance({local.faucet.address}, 0, 5)"


async def test_estimates_are_enough_and_not_much_more(local: Any) -> None:
    address = await token(local)
    data = USDC.functions["mint"].call("0x" + "33" * 20, 5)
    call = {"from": local.faucet.address, "to": address, "data": "0x" + data.hex()}
    estimate = int(await local.ask("eth_estimateGas", call), 16)
    receipt = await local.sender.send(local.faucet, address, data, gas=estimate)
    assert receipt.gas_used <= estimate <= receipt.gas_used * 1.05
    with pytest.raises(ChainError):
        await local.sender.send(local.faucet, address, data, gas=25_000)


async def test_time_follows_the_clock_and_can_be_moved_ahead(local: Any) -> None:
    start = int((await local.ask("eth_getBlockByNumber", "latest"))["timestamp"], 16)
    local.clock.now += 1
    await local.ask("evm_mine")
    await local.ask("evm_mine")
    head = await local.ask("eth_getBlockByNumber", "0x2")
    assert int(head["timestamp"], 16) == start + 1
    await local.ask("evm_increaseTime", hex(3600))
    head = await local.ask("eth_getBlockByNumber", "latest")
    assert int(head["timestamp"], 16) == start + 3601
    local.clock.now -= 100_000  # a clock set back never turns the chain's time back
    await local.ask("evm_mine")
    assert int((await local.ask("eth_getBlockByNumber", "0x4"))["timestamp"], 16) == start + 3601


async def test_idle_blocks_follow_a_transaction_and_end(local: Any) -> None:
    await local.ask("eth_sendRawTransaction", raw(local, 0))
    await local.node.tick()
    for _ in range(FIRST_IDLE_BLOCKS + 5):
        local.clock.now += 2
        await local.node.tick()
    assert local.node.ledger.head.block_number == 1 + FIRST_IDLE_BLOCKS
    hashes = {local.node.ledger.header(n).mix_hash for n in range(1 + FIRST_IDLE_BLOCKS)}
    assert len(hashes) == 1 + FIRST_IDLE_BLOCKS
    # Whoever looks at the head afterwards sees the present, not the past.
    head = await local.ask("eth_getBlockByNumber", "latest")
    assert int(head["timestamp"], 16) == int(local.clock.now)


async def test_contracts_see_prevrandao_and_past_hashes(local: Any) -> None:
    # return prevrandao, then blockhash(number - 1)
    code = bytes.fromhex("445f52600143034060205260405ff3")
    init = bytes.fromhex(f"60{len(code):02x}600c60003960{len(code):02x}6000f3") + code
    receipt = await local.sender.send(local.faucet, None, init)
    await local.ask("evm_mine")
    out = bytes.fromhex((await local.ask("eth_call", {"to": receipt.created}))[2:])
    head = await local.ask("eth_getBlockByNumber", "0x2")
    assert "0x" + out[:32].hex() == head["mixHash"]
    assert "0x" + out[32:].hex() == head["parentHash"]


async def test_going_back_makes_other_blocks(local: Any) -> None:
    await local.ask("evm_mine")
    snapshot = await local.ask("evm_snapshot")
    await local.ask("eth_sendRawTransaction", raw(local, 0, value=9))
    gone = await local.ask("eth_getBlockByNumber", "0x2")
    assert await local.ask("evm_revert", snapshot) is True
    assert await local.ask("evm_revert", snapshot) is False
    assert await local.ask("eth_getBalance", "0x" + "22" * 20) == "0x0"
    assert await local.ask("eth_getBlockByHash", gone["hash"]) is None
    await local.ask("eth_sendRawTransaction", raw(local, 0, value=9))
    assert (await local.ask("eth_getBlockByNumber", "0x2"))["hash"] != gone["hash"]


async def test_web3_speaks_to_it(local: Any) -> None:
    w3: Any = AsyncWeb3(EmbeddedProvider(local.node))
    assert await w3.is_connected()
    assert await w3.eth.chain_id == 31337
    address = await token(local)
    contract = w3.eth.contract(address=address, abi=interface_abi("DevUSDC"))
    account = Account.from_key(local.faucet.private_key)
    call = contract.functions.mint(account.address, 12)
    tx = await call.build_transaction(
        {"from": account.address, "nonce": await w3.eth.get_transaction_count(account.address)}
    )
    signed = account.sign_transaction(tx)
    done = await w3.eth.wait_for_transaction_receipt(
        await w3.eth.send_raw_transaction(signed.raw_transaction)
    )
    assert done.status == 1
    assert await contract.functions.balanceOf(account.address).call() == 12
    logs = await contract.events.Transfer.get_logs(from_block=0)
    assert [entry.args.value for entry in logs] == [12]
    assert (await w3.eth.fee_history(2, "latest", [50])).oldestBlock == done.blockNumber - 1
    legacy = account.sign_transaction(
        {"to": "0x" + "22" * 20, "value": 4, "gas": 21_000, "gasPrice": 2 * GWEI, "chainId": 31337,
         "nonce": await w3.eth.get_transaction_count(account.address)}
    )  # fmt: skip
    done = await w3.eth.wait_for_transaction_receipt(
        await w3.eth.send_raw_transaction(legacy.raw_transaction)
    )
    assert (done.status, done.type, done.effectiveGasPrice) == (1, 0, 2 * GWEI)
    shown = await w3.eth.get_transaction(done.transactionHash)
    assert (shown["from"], shown.value) == (account.address, 4)


def interface_abi(name: str) -> Any:
    import json
    from importlib.resources import files

    path = files("infera_plugins.chains.evm").joinpath("artifacts", f"{name}.json")
    return json.loads(path.read_text())["abi"]


def test_p256_signatures_are_checked() -> None:
    from Crypto.Hash import SHA256
    from Crypto.PublicKey import ECC
    from Crypto.Signature import DSS

    key = ECC.construct(curve="P-256", d=0xC0FFEE)
    digest = hashlib.sha256(b"quote").digest()
    signature = DSS.new(key, "deterministic-rfc6979").sign(SHA256.new(b"quote"))
    point = int(key.pointQ.x).to_bytes(32, "big") + int(key.pointQ.y).to_bytes(32, "big")
    assert p256_verify(digest, signature, point)
    assert not p256_verify(digest[::-1], signature, point)
    assert not p256_verify(digest, signature[::-1], point)
    assert not p256_verify(digest, bytes(64), point)
    assert not p256_verify(digest, signature, point[::-1])
    assert not p256_verify(digest, signature, bytes(64))


async def test_the_p256_precompile_stands_at_0x100(local: Any) -> None:
    from Crypto.Hash import SHA256
    from Crypto.PublicKey import ECC
    from Crypto.Signature import DSS

    key = ECC.construct(curve="P-256", d=0xC0FFEE)
    signature = DSS.new(key, "deterministic-rfc6979").sign(SHA256.new(b"quote"))
    point = int(key.pointQ.x).to_bytes(32, "big") + int(key.pointQ.y).to_bytes(32, "big")
    data = hashlib.sha256(b"quote").digest() + signature + point
    at = "0x" + "00" * 18 + "0100"
    assert int(await local.ask("eth_call", {"to": at, "data": "0x" + data.hex()}), 16) == 1
    assert await local.ask("eth_call", {"to": at, "data": "0x" + data[:-1].hex()}) == "0x"


# -- the file


async def test_reopening_finds_the_same_chain(open_local: Any, tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    async with open_local(path) as local:
        address = await token(local)
        call = USDC.functions["mint"].call("0x" + "33" * 20, 11)
        await local.sender.send(local.faucet, address, call)
        head = await local.ask("eth_getBlockByNumber", "0x2", True)
        logs = await local.ask("eth_getLogs", {"fromBlock": "0x0"})
        await local.ask("evm_increaseTime", hex(1000))
        # This one waits in the pool; closing mines it.
        await local.ask("eth_sendRawTransaction", raw(local, 2, value=5))
    async with open_local(path) as local:
        assert await local.ask("eth_getBlockByNumber", "0x2", True) == head
        assert await local.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x2"}) == logs
        assert await local.ask("eth_blockNumber") == "0x3"
        assert await local.ask("eth_getBalance", "0x" + "22" * 20) == "0x5"
        balance = await local.ask(
            "eth_call",
            {
                "to": address,
                "data": "0x" + USDC.functions["balanceOf"].call("0x" + "33" * 20).hex(),
            },
        )
        assert int(balance, 16) == 11
        assert local.node.ledger.now() == int(local.clock.now) + 1000


async def test_a_killed_process_loses_no_block(open_local: Any, tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    program = textwrap.dedent(
        """
        import sys, anyio
        from pathlib import Path
        from infera_plugins.chains.evm.deployment.faucet import FAUCET
        from infera_plugins.chains.evm.embedded import EmbeddedNode
        from infera_plugins.chains.evm.rpc import Rpc
        from infera_plugins.chains.evm.transactions import Transactor
        async def main():
            alloc = {bytes.fromhex(FAUCET.address[2:]): 10**30}
            node = EmbeddedNode.at(Path(sys.argv[1]), chain_id=31337, alloc=alloc)
            await node.connect()
            sender = Transactor(Rpc(node), 31337)
            while True:
                receipt = await sender.send(FAUCET, "0x" + "22" * 20, b"", value=1, gas=21000)
                print(receipt.block, flush=True)
        anyio.run(main)
        """
    )
    process = await anyio.open_process([sys.executable, "-c", program, str(path)], stderr=None)
    assert process.stdout is not None
    said = b""
    with anyio.fail_after(60):
        while said.count(b"\n") < 8:
            said += await process.stdout.receive()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    with anyio.move_on_after(1):
        try:
            while True:
                said += await process.stdout.receive()
        except anyio.EndOfStream:
            pass
    await process.aclose()
    promised = int(said.split()[-1])
    async with open_local(path) as local:
        head = int(await local.ask("eth_blockNumber"), 16)
        assert head in (promised, promised + 1)
        assert int(await local.ask("eth_getBalance", "0x" + "22" * 20), 16) == head
        await local.sender.send(local.faucet, "0x" + "22" * 20, b"", value=1, gas=21_000)


async def test_a_file_of_another_chain_is_refused(tmp_path: Path, open_local: Any) -> None:
    path = tmp_path / "chain.db"
    async with open_local(path):
        pass
    store = ChainStore(path)
    store.set_meta("chain_id", "5")
    store.close()
    with pytest.raises(ValueError, match="belongs to chain 5"):
        async with open_local(path):
            pass


async def test_a_failure_while_mining_leaves_no_half_block(local: Any) -> None:
    await local.ask("eth_sendRawTransaction", raw(local, 0))
    commit = local.node.ledger.store.commit

    def broken(*_: Any) -> None:
        raise OSError("disk full")

    local.node.ledger.store.commit = broken
    with pytest.raises(OSError, match="disk full"):
        await local.ask("eth_blockNumber")
    local.node.ledger.store.commit = commit
    assert await local.ask("eth_blockNumber") == "0x1"
    assert await local.ask("eth_getBalance", "0x" + "22" * 20) == "0x1"


# -- logs

words = st.sampled_from([bytes([n]) * 32 for n in range(4)])
places = st.sampled_from([bytes([n]) * 20 for n in range(3)])


def matches(log: StoredLog, wanted: LogFilter) -> bool:
    if not wanted.first <= log.block <= wanted.last:
        return False
    if wanted.addresses and log.address not in wanted.addresses:
        return False
    for number, options in enumerate(wanted.topics):
        if options and (number >= len(log.topics) or log.topics[number] not in options):
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(places, st.lists(words, max_size=4)), max_size=25),
    st.integers(0, 6),
    st.integers(0, 6),
    st.lists(places, max_size=2),
    st.lists(st.lists(words, max_size=2), max_size=4),
)
def test_log_filters_find_what_a_scan_finds(
    made: list[tuple[bytes, list[bytes]]],
    first: int,
    last: int,
    addresses: list[bytes],
    topics: list[list[bytes]],
) -> None:
    store = ChainStore(None)
    logs = [
        StoredLog(i // 5, i % 5, bytes([i]) * 32, 0, address, tuple(found), b"x")
        for i, (address, found) in enumerate(made)
    ]
    for number in range(6):
        store.commit(
            number,
            bytes([number]) * 32,
            b"",
            (),
            [entry for entry in logs if entry.block == number],
        )
    wanted = LogFilter(first, last, addresses, topics)
    assert store.logs(wanted) == [entry for entry in logs if matches(entry, wanted)]
    store.close()


def test_rpc_errors_say_what_they_are() -> None:
    error = RpcError("no", 3, "0x01")
    assert (error.message, error.code, error.data) == ("no", 3, "0x01")
