"""From `data.source` to a table of raw columns."""
