"""`include`: other specs, and runs, become parts of the tree of the spec that names them, before it is read."""
