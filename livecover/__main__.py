"""The command ``livecover``, also as ``python -m livecover``.

Its libraries are loaded within the boundary: where one is broken, or Ctrl-C comes meanwhile, that
is one line too.
"""

import sys

from engine.system.command import run_command


def main() -> int:
    """Run what was typed; return the exit code."""
    return run_command("livecover", _main)


def _main() -> int:
    from livecover import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
