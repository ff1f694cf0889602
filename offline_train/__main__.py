"""The command ``livecover-train``, also as ``python -m offline_train``.

Its libraries are loaded within the boundary.
"""

import sys

from engine.system.command import run_command


def main() -> int:
    """Run what was typed; return the exit code."""
    return run_command("livecover-train", _main)


def _main() -> int:
    from offline_train import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
