"""``python -m livecover.bench``: its libraries are loaded within the boundary."""

import sys

from engine.system.command import run_command


def main() -> int:
    """Run what was typed; return the exit code."""
    return run_command("livecover.bench", _main)


def _main() -> int:
    from livecover.bench import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
