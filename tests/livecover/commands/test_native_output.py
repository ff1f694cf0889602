"""What a C library writes to stderr is not seen; what Python writes is, during and after."""

import subprocess
import sys

CODE = """
import os, sys
from livecover.commands.native_output import muted
with muted():
    os.write(2, b"from C\\n")
    print("from Python", file=sys.stderr)
    os.system("echo from a child >&2")
os.write(2, b"after\\n")
print("Python after", file=sys.stderr)
"""


def test_only_python_is_heard() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["from Python", "after", "Python after"]


def test_a_replaced_stderr_is_left_alone() -> None:
    code = "import io, sys; sys.stderr = io.StringIO()\n" + CODE.replace("os.system", "str")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["from C", "after"]
