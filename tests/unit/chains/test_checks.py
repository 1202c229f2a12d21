from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import anyio
from websockets.asyncio.server import serve

from infera.checks import CheckContext
from infera.keys import KeyStore
from infera.operators import OperatorConfig
from infera.types import OperatorRole
from infera_plugins.chains.evm import transport
from infera_plugins.chains.evm.checks import CHECKS
from infera_plugins.chains.evm.config import EvmConfig

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REACHABLE, STAKED, COVERED = CHECKS


async def run(home: Path, **settings: Any) -> str | None:
    block = EvmConfig.model_validate(settings)
    return await REACHABLE.run(CheckContext(home, {"chains": [block]}))


async def test_the_node_must_answer_and_be_the_right_chain(tmp_path: Path) -> None:
    assert await run(tmp_path) is None  # the embedded chain needs nobody

    async def node(connection: Any) -> None:
        async for _ in connection:
            await connection.send('{"jsonrpc": "2.0", "id": 1, "result": "0x2105"}')

    async with serve(node, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await run(tmp_path, rpc=url, chain_id=8453) is None
        wrong = await run(tmp_path, rpc=url, chain_id=1)
        assert wrong is not None
        assert "is chain 8453, not 1" in wrong
    with anyio.fail_after(10):
        silent = await run(tmp_path, rpc=f"ipc://{tmp_path}/nobody.ipc")
    assert silent is not None
    assert "does not answer" in silent


# -- stakes

INFR = 10**18


class Line:
    """Another connection to an embedded chain; hanging up leaves the chain alone."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self.asked: set[str] = set()

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    async def make_request(self, method: str, params: Any) -> Any:
        self.asked.add(method)
        return await self._node.make_request(method, params)


class Validator(OperatorConfig):
    staked_as: ClassVar[OperatorRole | None] = OperatorRole.VALIDATOR
    key: str = "hot"


async def test_operators_must_be_staked(
    run_chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "node"
    home.mkdir()
    async with run_chain(tmp_path, fund={"rich": {}, "*": {"infr": 0}}) as net:
        line = Line(net.chain.session.node)
        monkeypatch.setattr(transport, "make_transport", lambda *_, **__: line)
        contracts: Any = dict(net.chain.contracts)

        async def says(config: OperatorConfig, **settings: Any) -> str | None:
            settings = {"rpc": "http://x", "contracts": contracts} | settings
            blocks: Any = {"chains": [EvmConfig.model_validate(settings)], "roles": [config]}
            return await STAKED.run(CheckContext(home, blocks))

        keys = KeyStore(home / "keys")
        assert "(key 'hot' is not made yet) has no active" in (await says(Validator()) or "")
        assert keys.names() == []
        poor = keys.create("hot").address
        assert await says(Validator()) == (
            f"validator {poor} has no active stake; set `stake_infr:` (at least 10000)"
        )
        assert f"validator {poor} is to stake 10000 INFR but has 0" in (
            await says(Validator(stake_infr=10_000)) or ""
        )
        rich = keys.add("rich", net.context.keys.get("rich"))
        staking = Validator(cold_key="rich", stake_infr=10_000)
        assert await says(staking) is None  # it has what it will stake
        assert "is to stake" in (await says(Validator(cold_key="rich", stake_infr=2_000_000)) or "")
        elsewhere = Validator(operator=rich.address)
        assert f"not an active validator with hot key {poor}" in (await says(elsewhere) or "")

        await net.chain.register_operator(
            rich, OperatorRole.VALIDATOR, poor, 10_000 * INFR, "ws://x"
        )
        assert await says(elsewhere) is None
        assert await says(Validator(cold_key="rich")) is None
        other = keys.create("other").address
        stranger = Validator(key="other", operator=rich.address)
        assert f"not an active validator with hot key {other}" in (await says(stranger) or "")
        assert await says(Validator(key="other", cold_key="rich")) is None  # will change it

        nowhere = contracts | {"StakeRegistry": "0x" + "77" * 20}
        assert "there is no StakeRegistry at" in (await says(staking, contracts=nowhere) or "")
        assert "no contracts are known" in (await says(staking, contracts="auto") or "")
        fresh = await says(Validator(), contracts="auto", deploy=True)
        assert fresh is None  # neither are there contracts yet
        assert await says(Validator(), rpc="embedded", contracts="auto") is None
        assert not {m for m in line.asked if "send" in m.lower()}
        assert sorted(p.name for p in home.iterdir()) == ["keys"]

        (home / "contracts.json").write_bytes((tmp_path / "contracts.json").read_bytes())
        gift = {"contracts": "auto", "fund": {"hot": {}}}
        assert await says(Validator(stake_infr=10_000), **gift) is None  # play money at start
        assert await says(Validator(stake_infr=10_000), **gift | {"fund": {}}) is not None


class Provider(OperatorConfig):
    staked_as: ClassVar[OperatorRole | None] = OperatorRole.PROVIDER
    key: str = "rich"


async def test_a_providers_stake_must_cover_what_it_declared(
    run_chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms: Any = {"model": "0x" + "07" * 32, "uri": "here:it", "stake_ppm": 1_000}
    terms |= {"max_price_in": 1, "max_price_out": 1}
    home = tmp_path / "node"
    home.mkdir()
    async with run_chain(tmp_path, fund={"rich": {}}, official={"bird": terms}) as net:
        line, chain = Line(net.chain.session.node), net.chain
        monkeypatch.setattr(transport, "make_transport", lambda *_, **__: line)

        async def says(config: OperatorConfig, **settings: Any) -> str | None:
            settings = {"rpc": "http://x", "contracts": dict(chain.contracts)} | settings
            blocks: Any = {"chains": [EvmConfig.model_validate(settings)], "roles": [config]}
            return await COVERED.run(CheckContext(home, blocks))

        assert await says(Provider()) is None  # its key is not even made
        rich = KeyStore(home / "keys").add("rich", net.context.keys.get("rich"))
        assert await says(Provider()) is None  # no stake: another check's
        await chain.register_operator(
            rich, OperatorRole.PROVIDER, rich.address, 1_100 * INFR, "ws://x"
        )
        await chain.models.declare(rich, bytes.fromhex(terms["model"][2:]), 100)
        assert await says(Provider()) is None
        governor = net.context.keys.get("deployer")
        minimum = 1_000 * INFR + INFR // 2
        await chain.transact(governor, "StakeRegistry", "setMinimumStake", 1, minimum)
        for config in (Provider(), Provider(key="hot", operator=rich.address)):
            assert await says(config) == (
                f"the stake of provider {rich.address} is 0.55 INFR short of the minimum and what "
                "it declared; add them with `infera stake deposit provider 0.55`"
            )
        assert await says(Validator(key="rich")) is None
        assert await says(Provider(), rpc="embedded", contracts="auto") is None
        assert not {m for m in line.asked if "send" in m.lower()}
