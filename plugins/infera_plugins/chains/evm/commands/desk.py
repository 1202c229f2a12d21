"""What the subcommands about contracts do with a chain: show a call, try it, price it, send it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infera.errors import ChainError, ChainUnavailableError, InferaError, NeedsOperatorError
from infera.protocol.abi import ZERO_ADDRESS, parse_address
from infera_ext import keccak256

from ..binding import Call, Struct, find
from ..contracts import interface
from ..deployment.manifest import DEVELOPMENT_CHAINS, Deployment
from ..gas import Meter
from ..rpc import Rpc, RpcFailureError, unhex
from ..transactions import Transactor, refusal
from ..transport import make_transport
from .deed import Deed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from infera.keys import Signer
    from infera.types import Address

    from ..bindings.dev_usdc import DevUSDC
    from ..bindings.infr import INFR
    from ..gas import Cost

INFR_DECIMALS = 18
USDC_DECIMALS = 6
PERMIT_S = 3_600
PUBLIC_CONFIRMATIONS = 1
"""Public nodes are many behind one name: the next question may meet one that is a block behind."""

_PERMIT = keccak256(
    b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
_HINTS = {
    "PaymentVault_InsufficientFree": "`infera vault show` says what is free; deposit or unlock",
    "StakeRegistry_BelowMinimum": "`infera stake show` says the minimum; stake more at once",
    "StakePricer_ClaimNotCovered": "`infera stake deposit provider` adds what is missing",
    "HotPool_ProviderInactive": "`infera stake show` says what is missing",
    "HotPool_StakeTooLow": "`infera stake deposit provider` adds stake; or promise less throughput",
    "HotPool_NotCheaper": "`infera seats show` says what the seats ask",
    "HotPool_AskTooHigh": "`infera seats show` says the dearest ask there may be",
    "HotPool_NotSeated": "`infera seats show` says who has a seat",
    "HotPool_Closed": "`infera models official` says for which models seats are paid",
    "StakeRegistry_NotOperator": "`infera stake deposit` registers an operator",
    "StakeRegistry_HotKeyTaken": "every operator needs a hot key nobody has used: make a new one",
    "StakeRegistry_NoHotKey": "name one with --hot-key",
    "Hold_NotThawed": "`infera vault show` and `infera stake show` say until when",
    "Hold_InsufficientActive": "`infera vault show` and `infera stake show` say how much there is",
    "VeINFR_NoLock": "`infera gov lock` locks INFR",
    "VeINFR_LockExists": "`infera gov increase` and `infera gov extend` change the lock there is",
    "VeINFR_LockEnded": "`infera gov withdraw` pays it out; lock again after that",
    "GovernorInsufficientProposerVotes": "`infera gov power` says the threshold and who has what",
}


def parse_units(text: str, decimals: int, token: str) -> int:
    """An amount a person typed (`2.5`, `1_000`), exactly, in the token's smallest unit."""
    digits = text.strip().replace("_", "").replace(",", "")
    whole, _, fraction = digits.partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        raise InferaError(
            f"{text!r} is no amount of {token}",
            code="amount_invalid",
            hint="such as 25 or 0.5; a dot for the decimals",
        )
    if len(fraction.rstrip("0")) > decimals:
        raise InferaError(
            f"{text} {token} is finer than {token} has decimals ({decimals})", code="amount_invalid"
        )
    amount: int = int(whole or "0") * 10**decimals
    amount += int(fraction[:decimals].ljust(decimals, "0"))
    if amount == 0:
        raise InferaError("the amount is zero", code="amount_invalid")
    return amount


def units(amount: int, decimals: int) -> str:
    """An amount in whole tokens, exactly."""
    text = f"{Decimal(amount).scaleb(-decimals):,f}" if amount < 10**27 else _long(amount, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _long(amount: int, decimals: int) -> str:
    whole, rest = divmod(amount, 10**decimals)
    return f"{whole:,}.{rest:0{decimals}d}"


def usdc(amount: int) -> str:
    """Micro-USDC for people."""
    return f"{units(amount, USDC_DECIMALS)} USDC"


def infr(amount: int) -> str:
    """INFR wei for people."""
    return f"{units(amount, INFR_DECIMALS)} INFR"


def ether(wei: int) -> str:
    """Native money for people: to ten digits after the dot, rounded up."""
    step = 10**8
    return f"{units(-(-wei // step) * step, 18)} ETH"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command that sends is to go about it."""

    dry_run: bool = False
    yes: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        if self.as_json and not (self.dry_run or self.yes):
            raise click.UsageError("--json asks nothing: add --yes or --dry-run")


@dataclass(slots=True)
class Desk:
    """A chain that commands talk to."""

    rpc: Rpc
    chain_id: int
    transactor: Transactor
    meter: Meter
    contracts: dict[str, Address] = field(default_factory=dict)
    since: int = 0
    """The first block that can hold events of these contracts."""

    async def read(self, contract: str, function: str, *args: Any) -> Any:
        """Ask a contract by name: for loops over contracts; elsewhere its binding is asked."""
        known = interface(contract).functions[function]
        return known.result(await self.ask(find(self, contract), known.call(*args)))

    async def ask(self, to: Address, data: bytes, block: int | None = None) -> bytes:
        """What a call of `to` returns as of a block; the bindings ask through this."""
        request = {"to": to, "data": "0x" + data.hex()}
        try:
            answer = await self.rpc.read(
                "eth_call", request, "latest" if block is None else hex(block)
            )
        except RpcFailureError as e:
            raise refusal(e) from e
        if answer == "0x":
            name = next((n for n, address in self.contracts.items() if address == to), "contract")
            raise NeedsOperatorError(
                f"there is no {name} at {to}",
                code="contracts_unknown",
                hint="are --rpc and --contracts of the same chain?",
            )
        return unhex(answer)

    def call(self, contract: str, function: str, *args: Any) -> Call:
        """A call by name: for loops over contracts; elsewhere the binding makes it."""
        known = interface(contract).functions[function]
        return Call.of(contract, find(self, contract), known, *args)

    def usdc(self) -> DevUSDC:
        """The money of this deployment."""
        from ..bindings.dev_usdc import DevUSDC

        return DevUSDC(self, "USDC")

    async def now(self) -> int:
        """The newest block's time."""
        head = await self.rpc.head()
        if head is None:
            raise ChainError("the chain has no newest block")
        return head.timestamp

    # -- doing

    async def act(self, signer: Signer, deed: Deed | Sequence[Call], manner: Manner) -> None:
        """Show the calls, try and price each, ask, and send them in order."""
        deed = deed if isinstance(deed, Deed) else Deed(deed)
        quiet = manner.as_json
        if not quiet:
            for line in deed.lines:
                click.echo(line)
        if deed.refusal is not None:
            if quiet:
                said = {"dry_run": manner.dry_run, **deed.facts, "calls": []}
                click.echo(json.dumps(said, indent=2))
            raise deed.refusal
        account = [await self._look(signer.address, call, quiet=quiet) for call in deed.calls]
        if manner.dry_run or not deed.calls:
            if manner.as_json:
                said = {"dry_run": manner.dry_run, **deed.facts, "calls": account}
                click.echo(json.dumps(said, indent=2))
            elif deed.calls:
                click.echo("nothing was sent")
            return
        if not manner.yes:
            click.confirm("send?", abort=True)
        sent = []
        for call, entry in zip(deed.calls, account, strict=True):
            receipt = await self.transactor.send(signer, call.to, call.data, value=call.value)
            tx = "0x" + receipt.tx.hex()
            sent.append(entry | {"tx": tx, "block": receipt.block, "gas_used": receipt.gas_used})
            if not manner.as_json:
                click.echo(
                    f"mined in block {receipt.block}: {call.contract}.{call.function.name},"
                    f" {receipt.gas_used:,} gas, {tx}"
                )
        deed.done(sent)
        if manner.as_json:
            click.echo(json.dumps({"dry_run": False, **deed.facts, "calls": sent}, indent=2))

    async def _look(self, sender: Address, call: Call, *, quiet: bool) -> dict[str, Any]:
        known, to, data = call.function, call.to, call.data
        arguments = {name: _word(value) for name, value in call.arguments.items()}
        entry: dict[str, Any] = {
            "contract": call.contract, "address": to, "function": known.name,
            "from": sender, "arguments": arguments, "data": "0x" + data.hex(),
        }  # fmt: skip
        if call.value:
            entry["value_wei"] = str(call.value)
        if not quiet:
            click.echo(f"{call.contract}.{known.name}  at {to}, from {sender}")
            if call.value:
                click.echo(f"  {'value':<10} {ether(call.value)}")
            for name, value in arguments.items():
                said = call.shown.get(name)
                click.echo(f"  {name:<10} {value}" + (f"  ({said})" if said else ""))
        if call.needs:
            entry["result"] = None
            if not quiet:
                click.echo(f"  {'result':<10} not tried: {call.needs}")
            return entry
        request = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(call.value)}
        try:
            answer = unhex(await self.rpc.read("eth_call", request, "latest"))
        except RpcFailureError as e:
            error = refusal(e)
            error.hint = error.hint or _HINTS.get((error.revert or "").partition("(")[0], "")
            raise error from e
        result = known.result(answer) if known.outputs and answer else None
        gas = await self.transactor.estimate(sender, to, data, call.value)
        cost = await self.meter.cost(gas, to, data)
        entry |= {
            "result": _word(result), "gas": gas, "cost_wei": str(cost.expected),
            "most_wei": str(cost.most),
            "l1_fee_wei": None if cost.l1_fee is None else str(cost.l1_fee),
        }  # fmt: skip
        if not quiet:
            click.echo(f"  {'result':<10} {'succeeds' if result is None else _word(result)}")
            click.echo(f"  {'gas':<10} {told(cost)}")
        return entry

    async def paying(
        self,
        signer: Signer,
        token: DevUSDC | INFR,
        amount: int,
        plain: Call,
        permitted: Callable[[int, int, bytes, bytes], Call] | None = None,
    ) -> list[Call]:
        """The calls that move a token into a contract: one with a signed permit (deadline, v, r, s)
        if the token takes that, else an approval first.
        """
        held = await token.balance_of(signer.address)
        name, show = ("INFR", infr) if token.contract == "INFR" else ("USDC", usdc)
        if held < amount:
            raise InferaError(
                f"{signer.address} has {show(held)}, not {show(amount)}",
                code="balance_too_low",
                hint=f"send {name} to that address",
            )
        if await token.allowance(signer.address, plain.to) >= amount:
            return [plain]
        signature = await self._permit(signer, token, plain.to, amount) if permitted else None
        if permitted and signature:
            return [permitted(*signature).remarked(plain.shown)]
        approve = token.approve(plain.to, amount).remarked({"value": show(amount)})
        return [approve, plain.remarked(needs="the approval above must be mined first")]

    async def _permit(
        self, signer: Signer, token: DevUSDC | INFR, spender: Address, amount: int
    ) -> tuple[int, int, bytes, bytes] | None:
        """(deadline, v, r, s) of ERC-2612; None if the token knows no permits."""
        from eth_abi.abi import encode

        try:
            domain = await token.domain_separator()
            nonce = await token.nonces(signer.address)
        except InferaError:
            return None
        deadline = await self.now() + PERMIT_S
        words = encode(
            ["bytes32", "address", "address", "uint256", "uint256", "uint256"],
            [_PERMIT, signer.address, spender, amount, nonce, deadline],
        )
        signature = signer.sign(keccak256(b"\x19\x01" + domain + keccak256(words)))
        return deadline, signature[64], signature[:32], signature[32:64]


def told(cost: Cost) -> str:
    """A cost in words."""
    text = f"{cost.gas:,}, {ether(cost.expected)} now, at most {ether(cost.most)}"
    if cost.l1_fee is not None:
        text += f", of it {ether(cost.l1_fee)} for its data on the chain below"
    return text


def _word(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_word(v) for v in value]
    if isinstance(value, Struct):
        return {f.name: _word(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@asynccontextmanager
async def opened(rpc: str, confirmations: int | None = None) -> AsyncIterator[Desk]:
    """Connect to a node; nothing of it is kept."""
    if rpc == "embedded":
        raise NeedsOperatorError(
            "the embedded chain lives inside `infera up` and has no address",
            code="url_invalid",
            hint="give the URL of a node: http(s)://, ws(s)://, ipc://",
        )
    transport = make_transport(rpc)
    try:
        line = Rpc(transport)
        try:
            chain_id = await line.chain_id()
        except ChainUnavailableError as e:
            e.hint = "is --rpc right, and does that node run?"
            raise
        if confirmations is None:
            confirmations = 0 if chain_id in DEVELOPMENT_CHAINS else PUBLIC_CONFIRMATIONS
        transactor = Transactor(line, chain_id, confirmations=confirmations, poll_s=0.5)
        yield Desk(line, chain_id, transactor, Meter(line, transactor, chain_id))
    finally:
        await transport.disconnect()


def manifest_path(contracts: str, home: Path) -> Path:
    """`--contracts`: a file, or the home's own record."""
    return home / "contracts.json" if contracts == "home" else Path(contracts).expanduser()


def load_manifest(path: Path, chain_id: int) -> Deployment:
    """A manifest that must exist, be whole and be about this chain."""
    deployment = Deployment.load(path)
    if deployment is None:
        raise NeedsOperatorError(
            f"there is no {path}, which would say where the contracts stand",
            code="contracts_unknown",
            hint="name a manifest with --contracts FILE, or a node's folder with --home",
        )
    if deployment.chain_id != chain_id:
        raise NeedsOperatorError(
            f"{path} is about chain {deployment.chain_id}, and --rpc is chain {chain_id}",
            code="contracts_unknown",
            hint="give the manifest of this chain",
        )
    return deployment


@asynccontextmanager
async def at_contracts(rpc: str, contracts: str, home: Path) -> AsyncIterator[Desk]:
    """Connect, and know where the contracts stand."""
    async with opened(rpc) as desk:
        deployment = load_manifest(manifest_path(contracts, home), desk.chain_id)
        if not deployment.complete:
            raise NeedsOperatorError(
                "the manifest tells of a deployment that broke off",
                code="contracts_unknown",
                hint="`infera contracts deploy` takes it up again",
            )
        desk.contracts = dict(deployment.contracts)
        desk.since = deployment.block
        yield desk


def address_of(text: str, home: Path) -> Address:
    """An address as it is, or that of a key in this home."""
    if text.startswith("0x"):
        return parse_address(text)
    from infera.keys import KeyStore

    return KeyStore(home / "keys").get(text).address


def signer_of(name: str, home: Path) -> Signer:
    """A key of this home."""
    from infera.keys import KeyStore

    return KeyStore(home / "keys").get(name)


def moment(seconds: int, now: int) -> str:
    """A time on the chain, and how far off it is."""
    from datetime import UTC, datetime

    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{text} (in {seconds - now} s)" if seconds > now else f"{text} (over)"


__all__ = [
    "ZERO_ADDRESS",
    "Call",
    "Deed",
    "Desk",
    "Manner",
    "at_contracts",
    "opened",
    "parse_units",
]
