"""One run's process: `graphspec` as ever, which stops and saves when the sweep that started it is gone.

The sweep holds the other end of standard input. When that closes, because the sweep ended or was killed in whatever
way, this process sends itself what a cluster sends (a Ctrl-C may be ignored, as below nohup).
"""

import os
import signal
import sys
import threading


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run() -> None:
    """`graphspec` with this process's arguments."""
    sys.argv[0] = "graphspec"
    threading.Thread(target=_watch, daemon=True).start()
    from runtime.cli import main

    main()


if __name__ == "__main__":
    run()
