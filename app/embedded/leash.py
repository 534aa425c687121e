"""Become another program that cannot outlive its parent.

Run as `python -I -S leash.py PARENT_PID PROGRAM ARGUMENT...`, never imported: it asks the kernel to kill this process when the
parent dies, even by kill -9, and then replaces itself. (A `preexec_fn` would do the same inside a fork of a process with
threads, which may hang.) Where there is no prctl, the next start finds the orphan by its recorded pid (`process.end_orphan`).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process to its parent and exec the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # the parent was gone before the kernel knew of our wish
    os.execv(program[0], program)  # noqa: S606 - the caller gives an absolute path and no shell is wanted


if __name__ == "__main__":
    main()
