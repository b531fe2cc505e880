"""Ctrl-C in a verb, outside of training: a word and exit 130, never a traceback, whatever it came out as."""

import signal


class Interruptible:
    """Within the block Ctrl-C is KeyboardInterrupt; `happened` tells an error that it turned into from one of ours."""

    def __init__(self) -> None:
        self.happened = False
        self._earlier: object = None

    def __enter__(self) -> "Interruptible":
        self._earlier = signal.getsignal(signal.SIGINT)
        if self._earlier in (signal.SIG_DFL, signal.default_int_handler):
            try:
                signal.signal(signal.SIGINT, self._interrupt)
            except ValueError:  # not in the main thread
                self._earlier = None
        return self

    def __exit__(self, *error: object) -> None:
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, self._earlier)  # type: ignore[arg-type]

    def _interrupt(self, number: int, frame: object) -> None:
        self.happened = True
        raise KeyboardInterrupt
