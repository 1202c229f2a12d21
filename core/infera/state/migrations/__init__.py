"""Schema migrations, run by `infera.state.migrate`."""
