"""INFERA's kernel and protocol: everything a plugin may build on."""

__version__ = "0.1.0"
