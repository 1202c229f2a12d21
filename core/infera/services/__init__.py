"""What a chain may offer beyond stake and payment, each service a base class of its own.

A role asks its chain for the service it can use (`chain.court`, `chain.reputation`, ...) and does
without where that is None: a chain of another kind need not have all of them.
"""

from .court import Court
from .models import ModelBook
from .reputation import ReputationBook
from .seats import SeatMarket
from .upkeep import Upkeep

__all__ = ["Court", "ModelBook", "ReputationBook", "SeatMarket", "Upkeep"]
