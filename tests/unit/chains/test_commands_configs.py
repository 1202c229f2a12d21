"""The configurations for public chains are whole but for keys and the network's manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infera.cli import main
from infera.cli.common import load_config
from infera_plugins.chains.evm.config import EvmConfig

if TYPE_CHECKING:
    from pathlib import Path

CHAINS = {
    # https://developers.circle.com/stablecoins/usdc-contract-addresses
    "base": (8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
    "base-sepolia": (84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_public_chains(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["validate", name, "--no-environment", "--home", str(tmp_path)])
    assert "ok  configuration" in capsys.readouterr().out
    [block] = load_config(name, tmp_path).layers["chains"]
    config = block.config
    assert isinstance(config, EvmConfig)
    assert (config.chain_id, config.usdc) == CHAINS[name]
    assert not config.may_deploy
    assert not config.fund
    assert config.confirmations > 0
    assert config.record(tmp_path) == tmp_path / f"{name}.json"


@pytest.mark.parametrize("usdc", ["0x12", "0x833589fcD6eDb6E08f4c7C32D4f71b54bdA02913", ""])
def test_a_mistyped_usdc_is_refused(usdc: str) -> None:
    with pytest.raises(ValueError, match="usdc: "):
        EvmConfig(usdc=usdc)


def test_where_a_manifest_is_looked_for(tmp_path: Path) -> None:
    assert EvmConfig().record(tmp_path) == tmp_path / "contracts.json"
    assert EvmConfig(contracts="net.json").record(tmp_path) == tmp_path / "net.json"
    elsewhere = tmp_path / "else" / "net.json"
    assert EvmConfig(contracts=str(elsewhere)).record(tmp_path / "home") == elsewhere
