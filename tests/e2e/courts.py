"""The courts beside the contracts a development chain is deployed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deploy import INFR, Deployer

if TYPE_CHECKING:
    import pytest

RESPONSE_S = 60
DEMAND_S = 3_600
INCLUSION_S = 60
ANSWER_S = 300
CLAIM_S = 86_400
BOND = 10 * INFR


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deployment from here on has the courts, in the order of docs/court.md §7."""
    deploy = Deployer.run

    async def run(self: Any) -> None:
        await deploy(self)
        await add(self)

    monkeypatch.setattr(Deployer, "run", run)


async def add(deployer: Any) -> None:
    """The courts of a deployment, and what the others have to know of them."""
    stand, governor = deployer._deployment.contracts, deployer._signer.address
    if "BatchCourt" in stand:
        return
    jobs = stand["JobRegistry"]
    await deployer._plain("BatchExaminer", jobs)
    await deployer._proxied("BatchCourt", governor, jobs, RESPONSE_S, DEMAND_S, BOND)
    desk = (governor, stand["PaymentVault"], INCLUSION_S, ANSWER_S, CLAIM_S, BOND)
    await deployer._proxied("ClaimDesk", *desk)
    for contract, function, *args in (
        ("StakeRegistry", "setJobRegistry", jobs),
        ("JobRegistry", "setCourt", stand["BatchCourt"], True),
        ("StakeRegistry", "setSlasher", stand["BatchCourt"], True),
        ("StakeRegistry", "setSlasher", stand["ClaimDesk"], True),
        ("BatchCourt", "setExaminer", stand["BatchExaminer"], True),
        ("PaymentVault", "setClaimDesk", stand["ClaimDesk"]),
    ):
        call = interface(contract).functions[function].call(*args)
        await deployer._transactor.send(deployer._signer, stand[contract], call)
