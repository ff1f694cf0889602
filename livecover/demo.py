"""``python -m livecover.demo``: its libraries are loaded within the boundary."""

import sys

from engine.system.command import run_command


def main() -> int:
    """Run what was typed; return the exit code."""
    return run_command("demo", _main)


def _main() -> int:
    from livecover.commands import demo

    return demo.main()


if __name__ == "__main__":
    sys.exit(main())
