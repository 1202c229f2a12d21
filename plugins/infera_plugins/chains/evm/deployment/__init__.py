"""Bringing the contracts to a chain, reading them back, and upgrading them."""
