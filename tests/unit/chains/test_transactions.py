"""Nonces, fees, waiting and typed failures, against a node that misbehaves on cue."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import rlp
from eth_account import Account

from infera.errors import ChainError, ChainUnavailableError
from infera.keys import Signer
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.rpc import Rpc, RpcFailureError
from infera_plugins.chains.evm.transactions import Draft, Fees, Transactor, refusal, sign
from infera_plugins.chains.evm.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNER = Signer(b"\x11" * 32)
TO = "0x" + "22" * 20


class Scripted:
    """A transport in front of another, with an answer or failure of its own per method on cue."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.cues: dict[str, deque[Any]] = {}
        self.asked: list[str] = []

    def cue(self, method: str, *answers: Any) -> None:
        self.cues.setdefault(method, deque()).extend(answers)

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    async def make_request(self, method: str, params: Any) -> Any:
        self.asked.append(method)
        if self.cues.get(method):
            answer = self.cues[method].popleft()
            if answer == "lost":  # the node acts, its answer never arrives
                await self.inner.make_request(method, params)
                raise TransportError("connection reset")
            if answer == "away":
                raise TransportError("connection refused")
            if answer != "pass":
                return answer
        return await self.inner.make_request(method, params)


def error(message: str, code: int = -32000) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}


NOTHING = {"jsonrpc": "2.0", "id": 1, "result": None}


class Bench:
    """A transactor over a scripted transport, with a clock that sleeping moves."""

    def __init__(self, node: Any, **options: Any) -> None:
        self.now = 0.0
        self.script = Scripted(node)
        self.said: list[str] = []
        self.on_sleep: Callable[[], None] = lambda: None

        async def sleep(seconds: float) -> None:
            self.now += seconds
            self.on_sleep()
            await anyio.lowlevel.checkpoint()

        self.rpc = Rpc(
            self.script,
            interrupted=lambda reason: self.said.append(f"away: {reason}"),
            recovered=lambda: self.said.append("back"),
            sleep=sleep,
        )
        self.sender = Transactor(self.rpc, 31337, clock=lambda: self.now, **options)


@pytest.fixture
async def bench(local: Any) -> Bench:
    await local.sender.send(local.faucet, SIGNER.address, b"", value=10**20, gas=21_000)
    return Bench(local.node)


async def nonce(local: Any) -> int:
    return int(await local.ask("eth_getTransactionCount", SIGNER.address), 16)


def test_signing_is_what_eth_account_does() -> None:
    fees = Fees(3, 1000)
    draft = Draft(7, 50_000, "0x" + "22" * 20, 5, b"\x01\x02")
    ours, tx_hash = sign(draft, fees, 31337, SIGNER)
    theirs = Account.from_key(SIGNER.private_key).sign_transaction(
        {
            "type": 2, "chainId": 31337, "nonce": 7, "gas": 50_000, "to": draft.to, "value": 5,
            "data": "0x0102", "maxFeePerGas": 1000, "maxPriorityFeePerGas": 3,
        }
    )  # fmt: skip
    assert (ours, tx_hash) == (bytes(theirs.raw_transaction), bytes(theirs.hash))
    creation, _ = sign(Draft(0, 1, None, 0, b""), fees, 1, SIGNER)
    assert rlp.decode(creation[1:])[5] == b""


async def test_two_hundred_at_once_take_two_hundred_nonces(local: Any, bench: Bench) -> None:
    blocks = set()

    async def one() -> None:
        receipt = await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
        blocks.add(receipt.block)

    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(one)
    assert await nonce(local) == 200
    assert int(await local.ask("eth_getBalance", TO), 16) == 200
    assert len(blocks) < 100, "a burst shares blocks"


async def test_a_nonce_somebody_else_took_is_replaced(local: Any, bench: Bench) -> None:
    await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    other = Transactor(local.rpc, 31337)
    await other.send(SIGNER, TO, b"", value=1, gas=21_000)
    await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    assert await nonce(local) == 3


async def test_a_lost_answer_sends_nothing_twice(local: Any, bench: Bench) -> None:
    bench.script.cue("eth_sendRawTransaction", "lost")
    await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    # The same, but mined before it is sent again: the node then says the nonce is too low.
    bench.script.cue("eth_sendRawTransaction", "lost", error("nonce too low"))
    await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    assert await nonce(local) == 2
    assert int(await local.ask("eth_getBalance", TO), 16) == 2


async def test_an_endless_fight_over_nonces_ends(bench: Bench) -> None:
    bench.script.cue("eth_sendRawTransaction", *[error("nonce too low")] * 20)
    with pytest.raises(ChainError, match="another program keeps sending"):
        await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)


async def test_waiting_outlasts_an_outage(local: Any, bench: Bench) -> None:
    bench.script.cue("eth_getTransactionReceipt", *["away"] * 9)
    await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    assert await nonce(local) == 1
    assert bench.said == ["away: connection refused", "back"]


async def test_a_node_that_stays_away_is_unavailable(local: Any, bench: Bench) -> None:
    bench.script.cue("eth_sendRawTransaction", *["away"] * 4)
    with pytest.raises(ChainUnavailableError):
        await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    assert await nonce(local) == 1


async def test_a_stuck_transaction_is_sent_again_dearer(local: Any) -> None:
    await local.sender.send(local.faucet, SIGNER.address, b"", value=10**20, gas=21_000)
    bench = Bench(local.node, stuck_after_s=10.0, poll_s=1.0)
    hashes = []

    class Dropping(Scripted):
        async def make_request(self, method: str, params: Any) -> Any:
            if method == "eth_sendRawTransaction":
                hashes.append(params[0])
                if len(hashes) < 3:  # the node takes it and forgets it
                    return {"result": "0x" + "00" * 32}
            return await super().make_request(method, params)

    bench.rpc.transport = Dropping(local.node)
    receipt = await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    assert len(hashes) == 3
    tx = await local.ask("eth_getTransactionByHash", "0x" + receipt.tx.hex())
    first = rlp.decode(bytes.fromhex(hashes[0][4:]))
    assert int(tx["maxFeePerGas"], 16) > int.from_bytes(first[3], "big") * 1.5
    assert await nonce(local) == 1


async def test_a_transaction_nobody_mines_is_given_up(local: Any) -> None:
    bench = Bench(local.node, give_up_s=30.0, poll_s=1.0)
    bench.script.cue("eth_sendRawTransaction", {"result": "0x"})
    bench.script.cue("eth_getTransactionReceipt", *[NOTHING] * 100)
    with pytest.raises(ChainUnavailableError, match="was not mined in 30 s"):
        await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)


async def test_confirmations_are_waited_for(local: Any) -> None:
    await local.sender.send(local.faucet, SIGNER.address, b"", value=10**20, gas=21_000)
    bench = Bench(local.node, confirmations=3)
    bench.on_sleep = lambda: local.node.ledger.mine()
    receipt = await bench.sender.send(SIGNER, TO, b"", value=1, gas=21_000)
    assert local.node.ledger.head.block_number >= receipt.block + 3


async def test_fees_double_the_base_fee(local: Any, bench: Bench) -> None:
    base = local.node.ledger.next_base_fee(local.node.ledger.head)
    fees = await bench.sender.fees()
    assert fees.ceiling == 2 * base + fees.tip
    assert fees.raised().ceiling > fees.ceiling * 1.1


async def test_reverts_found_by_estimating_send_nothing(local: Any, bench: Bench) -> None:
    receipt = await local.sender.send(
        local.faucet, None, interface("USDC").creation(local.faucet.address)
    )
    data = interface("USDC").functions["mint"].call(TO, 1)
    with pytest.raises(ChainError) as refused:
        await bench.sender.send(SIGNER, receipt.created, data)
    assert refused.value.revert == f"OwnableUnauthorizedAccount({SIGNER.address})"
    assert await nonce(local) == 0
    with pytest.raises(ChainError) as refused:
        await bench.sender.send(SIGNER, receipt.created, data, gas=200_000)
    assert refused.value.revert == f"OwnableUnauthorizedAccount({SIGNER.address})"
    assert await nonce(local) == 1


async def test_no_gas_money_says_so(local: Any) -> None:
    with pytest.raises(ChainError) as refused:
        await local.sender.send(Signer(b"\x09" * 32), TO, b"", gas=21_000)
    assert refused.value.code == "chain_no_gas_money"


@pytest.mark.parametrize(
    ("data", "revert"),
    [
        ("0x08c379a0" + "20".zfill(64) + "2".zfill(64) + "6e6f".ljust(64, "0"), "Error('no')"),
        ("0x4e487b71" + "11".zfill(64), "Panic(arithmetic overflow)"),
        ({"data": "0x4e487b71" + "11".zfill(64)}, "Panic(arithmetic overflow)"),
        ("Reverted 0x4e487b71" + "12".zfill(64), "Panic(division by zero)"),
        ("0x12345678", "0x12345678"),
        ("0x", None),
        ("0x08c379a0ff", None),
    ],
)
def test_revert_data_is_read_wherever_nodes_put_it(data: Any, revert: str | None) -> None:
    assert refusal(RpcFailureError(3, "execution reverted", data)).revert == revert


async def test_reading_is_tried_again_with_growing_delays(bench: Bench) -> None:
    bench.script.cue("eth_chainId", "away", error("slow down", -32005), "away")
    assert await bench.rpc.chain_id() == 31337
    assert bench.now == pytest.approx(0.2 + 0.4 + 0.8)
    assert bench.said == ["away: connection refused", "back"]
