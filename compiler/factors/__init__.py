"""One factor as a module: from its parents' values to its distribution."""
