"""From a `Spec` to `Graphs`: names resolved, defaults filled in, shapes inferred."""
