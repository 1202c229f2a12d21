"""The training text of `first_light`, written by this project; `mix.py` draws conversations."""
