"""Settings all tests share."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from hypothesis import settings

settings.register_profile("dev", max_examples=60, deadline=None)
settings.register_profile("ci", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# An installed package brings its fixtures by itself; an older installation is helped along.
if not any(point.value == "infera.testing.plugin" for point in entry_points(group="pytest11")):
    pytest_plugins = ["infera.testing.plugin"]
