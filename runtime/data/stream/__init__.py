"""Rows by number, their patterns of blanks, and the order in which training reads them."""
