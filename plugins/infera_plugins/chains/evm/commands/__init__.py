"""What `infera contracts`, `stake`, `vault`, `gov` and `seats` do."""
