"""Becomes a command that does not outlive its starter: `python leash.py STARTER_PID COMMAND…`.

Linux sends us SIGTERM when the starter is gone, however it went; exec keeps that. Other systems
have no such thing: there a starter that is killed leaves the command running.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Does not return."""
    starter, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(starter):
        sys.exit(1)  # it was gone before we listened
    os.execvp(command[0], command)  # noqa: S606 - the starter's own command line


if __name__ == "__main__":
    main()
