"""The face of livecover: the command line, its settings, and the demo.

The engine is in ``engine``, the networks in ``models``, the making of models in ``offline_train``.
"""

import engine.system.privacy  # noqa: F401  # before any library that would call home

__version__ = "0.1.0"
