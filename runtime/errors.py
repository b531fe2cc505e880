"""What goes wrong outside the spec: data, runs, disks. The command line prints `error: message`, `= help: hint`."""


class RunError(Exception):
    """Something outside the spec is at fault. `message` says what, `hint` what to do; exit 1, never a traceback."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\n  = help: {hint}" if hint else message)


class DataError(RunError):
    """The data are not what the spec says, or not there."""
