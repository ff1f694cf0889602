"""Work of the program's own in another process: what breaks or hangs there takes nothing with it.

Not here: what is done there (``engine.playback.synth_process``, ``livecover.takes.rendering``).
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable

_CODE = "import pickle, sys; sys.exit(pickle.load(sys.stdin.buffer)())"


def start_process(
    work: Callable[[], int],
    *,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    is_idle: bool = False,
) -> "subprocess.Popen[bytes]":
    """Start a process that calls ``work`` on its main thread and ends with the code it returns.

    Parameters
    ----------
    work
        A function, or a ``partial`` of one, that a module of the program's own holds: it goes
        there as a pickle, by the standard input, which stays open for more.
    stdout, stderr
        As ``Popen`` takes them.
    is_idle
        Whether it has the lowest priority; Windows, elsewhere ``work`` may call ``os.nice``.

    Raises OSError where no process can be started.
    """
    # Where this program's modules come from, theirs do: it may run from a folder, not installed.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | (subprocess.IDLE_PRIORITY_CLASS if is_idle else 0)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE],  # no module of the working folder's, ever
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=env,
        start_new_session=True,  # Ctrl-C is for who started it
        creationflags=flags,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(pickle.dumps(work))
        process.stdin.flush()
    except OSError:
        process.kill()
        process.wait()
        raise
    return process
