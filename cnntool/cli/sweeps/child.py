"""A training that stops where whoever began it ends, by whatever: ``python -m``, then as `cnntool`.

Its stdin is a pipe that nobody writes to. Where that is closed, the training saves its run after
the step that it is at, as at any signal, so that the next sweep goes on with it at once.
"""

from __future__ import annotations

import os
import signal
import threading

from cnntool.__main__ import main


def _stop_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_stdin, daemon=True).start()
    main()
