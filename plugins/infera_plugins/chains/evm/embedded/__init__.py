"""An Ethereum chain inside this process: py-evm over a SQLite file, spoken to like any RPC."""

from .ledger import Ledger, RpcError
from .node import EmbeddedNode
from .store import ChainStore

__all__ = ["ChainStore", "EmbeddedNode", "Ledger", "RpcError"]
