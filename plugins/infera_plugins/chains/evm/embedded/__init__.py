"""An Ethereum chain inside this process: py-evm over a SQLite file, spoken to like any other RPC."""

from .ledger import Ledger, RpcError
from .provider import EmbeddedProvider
from .store import ChainStore

__all__ = ["ChainStore", "EmbeddedProvider", "Ledger", "RpcError"]
