"""The kernel: loads plugins, composes a node from a configuration and runs it.

Nothing here is for plugins to import.
"""
