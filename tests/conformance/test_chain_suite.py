"""The suite third-party chains run, on the built-in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infera.bus import EventBus
from infera.context import Context
from infera.keys import KeyStore, Signer
from infera.state import State
from infera.testing.conformance import ChainConformance
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.chains.evm.config import EvmConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestEmbedded(ChainConformance):
    @pytest.fixture
    async def state(self, tmp_path: Path) -> AsyncIterator[State]:
        async with State(f"sqlite:///{tmp_path / 'state.db'}") as state:
            yield state

    @pytest.fixture
    def chain(self, tmp_path: Path, state: State) -> EvmChain:
        context = Context("test", tmp_path, EventBus(), state, KeyStore(tmp_path / "keys"))
        settings = {"fund": {"account": {}}, "poll_interval_s": 0.01}
        return EvmChain(EvmConfig.model_validate(settings), context)

    @pytest.fixture
    def account(self, tmp_path: Path, chain: EvmChain) -> Signer:
        return KeyStore(tmp_path / "keys").get_or_create("account")
