"""Ctrl-C (a cluster's SIGTERM, a terminal's hang-up) as a wish, granted between two steps."""

import signal
import threading
from types import FrameType
from typing import Any

_KINDS = ("SIGINT", "SIGTERM", "SIGHUP")
"""By name: there is no hang-up on Windows."""


class StopRequest:
    """Within the block the first signal only sets `asked`; a second one ends the program as usual. A signal that the
    program was told to ignore (nohup does that) stays ignored.

    repeats: the launcher of several processes passes on what the terminal has sent already. Then further signals, also
    after the block, change nothing: the launcher itself ends what does not stop in time.
    """

    def __init__(self, repeats: bool = False) -> None:
        self.asked = False
        self._repeats = repeats
        self._earlier: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.Signals[name] for name in _KINDS if name in signal.Signals.__members__):
                if kind == signal.SIGINT or signal.getsignal(kind) != signal.SIG_IGN:
                    self._earlier[kind] = signal.signal(kind, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for kind, handler in self._earlier.items():
            signal.signal(kind, signal.SIG_IGN if self.asked and self._repeats else handler)
        self._earlier = {}
