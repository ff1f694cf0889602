"""Where the app begins: as the command ``livecover``, and as the interpreter that it carries.

Without arguments, as by a double click, it opens the panel. Processes of the program's own are
started as ``sys.executable -P -c CODE`` (``engine.system.own_process``): here that is the app.
"""

import sys

OWN_PROCESS = ["-P", "-c"]


def main() -> int:
    """Run what was asked for; return the exit code."""
    if sys.argv[1:3] == OWN_PROCESS:
        code = compile(sys.argv[3], "<string>", "exec")
        sys.argv[:] = ["-c", *sys.argv[4:]]
        exec(code, {"__name__": "__main__"})
        return 0
    from livecover.__main__ import main as livecover

    sys.argv[1:] = sys.argv[1:] or ["app"]
    return livecover()


if __name__ == "__main__":
    sys.exit(main())
