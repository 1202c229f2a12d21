"""What a node can be composed of. Each plugin comes in through the entry points, like any other."""
