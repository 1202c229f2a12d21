"""Proposals as they are told, judged and tried; no commands."""
