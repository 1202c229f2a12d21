"""What `infera doctor` asks about a settlement chain."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from infera.checks import HealthCheck, Severity
from infera.errors import ChainError
from infera.operators import INFR, OperatorConfig
from infera.types import OperatorRole

from .config import EvmConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from infera.checks import CheckContext
    from infera.types import Address

    from .rpc import Rpc

TIMEOUT_S = 5.0


async def _reachable(context: CheckContext) -> str | None:
    from .rpc import Rpc
    from .transport import make_transport

    for config in context.configs(EvmConfig):
        if config.embedded:
            continue
        transport = make_transport(config.rpc, timeout_s=min(TIMEOUT_S, config.request_timeout_s))
        try:
            chain_id = await Rpc(transport, attempts=1).chain_id()
        except ChainError as e:
            return f"{config.rpc}: {e.message}; correct `rpc:` or start that node"
        finally:
            await transport.disconnect()
        if config.chain_id not in (None, chain_id):
            return f"{config.rpc} is chain {chain_id}, not {config.chain_id}; correct `chain_id:`"
    return None


async def _staked(context: CheckContext) -> str | None:
    """Every operator of this node is registered, or has what `stake_infr:` will stake at start."""
    operators = [c for c in context.configs(OperatorConfig) if c.staked_as is not None]
    return await _ask(context, operators, _Desk.problem)


async def _covered(context: CheckContext) -> str | None:
    """Every provider's stake covers the minimum and what it has declared."""
    providers = [c for c in context.configs(OperatorConfig) if c.staked_as is OperatorRole.PROVIDER]
    return await _ask(context, providers, _Desk.shortfall)


async def _ask(
    context: CheckContext,
    operators: Sequence[OperatorConfig],
    question: Callable[[_Desk, OperatorConfig], Awaitable[str | None]],
) -> str | None:
    """A question about operators, for the chain's contracts."""
    from .rpc import Rpc
    from .transport import make_transport

    chains = context.configs(EvmConfig)
    if len(chains) != 1 or chains[0].embedded:
        return None  # on the embedded chain there is play money; of several, blocks name none here
    (config,) = chains
    transport = make_transport(config.rpc, timeout_s=min(TIMEOUT_S, config.request_timeout_s))
    try:
        desk = _Desk(config, context, Rpc(transport, attempts=1))
        names = {name for c in operators for name in (c.key, c.cold_key) if name is not None}
        problem = await desk.open(names)
        if problem is not None or not desk.contracts:
            return problem
        found = [text for operator in operators if (text := await question(desk, operator))]
    except ChainError as e:
        return f"{config.rpc} cannot tell: {e.message}"
    finally:
        await transport.disconnect()
    return "; ".join(found) or None


class _Desk:
    """Asks a chain's contracts without starting the chain: sends nothing, writes nothing."""

    def __init__(self, config: EvmConfig, context: CheckContext, rpc: Rpc) -> None:
        self._config = config
        self._home = context.home
        self._rpc = rpc
        self.contracts: Mapping[str, Address] = {}
        self._keys: dict[str, Address] = {}
        self._play_money = False

    async def open(self, names: set[str]) -> str | None:
        """Find the contracts and the named keys. Leaves `contracts` empty if they are yet to be
        deployed.
        """
        from infera.protocol.abi import parse_address

        from .deployment.manifest import DEVELOPMENT_CHAINS, Deployment

        config, chain_id = self._config, await self._rpc.chain_id()
        if isinstance(config.contracts, dict):
            contracts = {n: parse_address(a) for n, a in config.contracts.items()}
        else:
            path = config.record(self._home)
            known = await anyio.to_thread.run_sync(Deployment.load, path)
            if known is None or known.chain_id != chain_id or not known.complete:
                if config.may_deploy and config.contracts == "auto":
                    return None
                return f"no contracts are known on chain {chain_id}; set `contracts:`"
            contracts = known.contracts
            self._play_money = config.may_deploy or chain_id in DEVELOPMENT_CHAINS
        for name in ("StakeRegistry", "INFR"):
            if not await self._rpc.code(contracts[name]):
                return f"there is no {name} at {contracts[name]}; correct `contracts:`"
        self._keys = await anyio.to_thread.run_sync(self._addresses, names)
        self.contracts = contracts
        return None

    def _addresses(self, names: set[str]) -> dict[str, Address]:
        from infera.keys import KeyStore

        store = KeyStore(self._home / "keys")
        return {name: store.get(name).address for name in names.intersection(store.names())}

    async def problem(self, operator: OperatorConfig) -> str | None:
        """What `infera.operators.ensure_registered` would stop at."""
        role = operator.staked_as
        assert role is not None
        label, cold = role.name.lower(), operator.cold_key or operator.key
        hot = self._keys.get(operator.key)
        owner = operator.operator or self._keys.get(cold)
        stake, active, held = 0, False, 0
        if owner is not None:
            active = await self._call("StakeRegistry", "isActive", owner, int(role))
            if active and await self._call("StakeRegistry", "hotKeyOf", owner) == hot:
                return None
            stake, _, _ = await self._call("StakeRegistry", "stakeOf", owner, int(role))
            held = await self._call("INFR", "balanceOf", owner)
        if operator.operator is not None:
            return (
                f"{owner} is not an active {label} with hot key {hot or f'{operator.key!r}'}; "
                "register that key where the cold key is"
            )
        who = f"{label} {owner}" if owner else f"the {label} (key {cold!r} is not made yet)"
        if operator.stake_infr == 0 and not active:
            least = await self._call("StakeRegistry", "minimumStake", int(role)) // INFR
            return f"{who} has no active stake; set `stake_infr:` (at least {least})"
        missing = operator.stake_infr * INFR - stake
        if held >= missing or (self._play_money and self._config.fund.keys() & {cold, "*"}):
            return None
        return (
            f"{who} is to stake {missing // INFR} INFR but has {held // INFR}; "
            f"send INFR to that address (`infera keys show {cold}`), or lower `stake_infr:`"
        )

    async def shortfall(self, operator: OperatorConfig) -> str | None:
        """What is missing of a provider's stake; None while it has none: another check says so."""
        from .rpc import RpcFailureError

        role = OperatorRole.PROVIDER
        owner = operator.operator or self._keys.get(operator.cold_key or operator.key)
        if owner is None:
            return None
        stake, _, _ = await self._call("StakeRegistry", "stakeOf", owner, int(role))
        try:
            needed = await self._call("StakeRegistry", "requiredStake", owner, int(role))
        except RpcFailureError:
            return None  # a registry from before there were claims
        short = needed - stake
        if not stake or short <= 0:
            return None
        told = f"{Decimal(short).scaleb(-18):f}"
        told = told.rstrip("0").rstrip(".") if "." in told else told
        return (
            f"the stake of provider {owner} is {told} INFR short of the minimum and what it "
            f"declared; add them with `infera stake deposit provider {told}`"
        )

    async def _call(self, contract: str, function: str, *args: Any) -> Any:
        from .contracts import interface
        from .rpc import unhex

        known = interface(contract).functions[function]
        request = {"to": self.contracts[contract], "data": "0x" + known.call(*args).hex()}
        return known.result(unhex(await self._rpc.read("eth_call", request, "latest")))


CHECKS = (
    HealthCheck(
        "chain_reachable", "the chain's node answers, and is that chain", _reachable, kinds=("evm",)
    ),
    HealthCheck(
        "operator_staked",
        "this node's operators are staked, or can be",
        _staked,
        depends_on=("chain_reachable",),
        kinds=("evm",),
    ),
    HealthCheck(
        "provider_stake",
        "providers' stakes cover the minimum and what they declared",
        _covered,
        severity=Severity.WARNING,
        depends_on=("operator_staked",),
        kinds=("provider",),
    ),
)
