"""A run folder -> one page that holds all there is to know about the run."""
