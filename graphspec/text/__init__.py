"""YAML text to a located tree, and the report that gathers what is wrong with it."""
