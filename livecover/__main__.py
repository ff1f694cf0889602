"""``python -m livecover``: the same as the command ``livecover``."""

import sys

from livecover.cli import main

if __name__ == "__main__":
    sys.exit(main())
