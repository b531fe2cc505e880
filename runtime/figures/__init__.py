"""Panels, curves and tables as files."""
