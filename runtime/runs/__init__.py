"""A run folder: its files, its checkpoints, its lines of metrics."""
