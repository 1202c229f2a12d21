"""Configuration:

YAML files to validated settings. Plugins need `Secret` from here, programs `load` and `shipped`.
"""

from infera.config.load import Block, NodeConfig, load
from infera.config.render import render, show
from infera.config.secret import Secret
from infera.config.shipped import shipped, shipped_names

__all__ = ["Block", "NodeConfig", "Secret", "load", "render", "shipped", "shipped_names", "show"]
