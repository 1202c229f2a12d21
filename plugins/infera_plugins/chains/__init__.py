"""Settlement layers."""
