"""`python -m runtime.cli`: the `graphspec` command for launchers that start modules, such as torchrun."""

from runtime.cli import main

if __name__ == "__main__":
    main()
