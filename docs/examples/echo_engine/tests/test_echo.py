"""Run with `pytest` once the package is installed."""
