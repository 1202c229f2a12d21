"""Doors through which people's programs come in."""
