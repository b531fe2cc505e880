"""Commands that measure speed: `python -m benchmarks.throughput --help`. Not part of the installed packages."""
