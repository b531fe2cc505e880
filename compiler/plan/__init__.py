"""The plan of operations: written from a program and its objective, verified, run, joined over patterns, printed."""
