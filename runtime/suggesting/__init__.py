"""Which rows to label next: those that a model is least sure of, and of which a label would tell it most."""
