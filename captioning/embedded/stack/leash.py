"""Executes a command that does not outlive its parent: `python leash.py PARENT_PID COMMAND…`.

It has Linux send SIGTERM to this process when the parent ends, in whatever way, which still holds
after exec. Other systems have no such signal: a parent that is killed leaves the command running.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Executes the command; does not return."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # After prctl, so that no moment is left in which the end of the parent goes unnoticed.
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the parent's own command line


if __name__ == "__main__":
    main()
