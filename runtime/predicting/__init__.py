"""A run put to use on rows of other data: read as in training, answered, and written in the input's own columns."""
