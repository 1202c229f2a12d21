"""What `infera doctor` looks at for a validator. Its stake is looked up by the chain's plugin."""

from __future__ import annotations

from infera.operators import keys_check
from infera_plugins.roles.validator.config import ValidatorConfig

CHECKS = (keys_check("validator_keys", "validator", ValidatorConfig),)
