"""Environment variables that keep libraries from sending anything, set before their import.

Imported by each package before anything else. A library reads these variables when it is imported
or first used, and child processes inherit them. Not here: ONNX Runtime's events that need a call
(``engine.model.graph``).
"""

import os
import tempfile
from pathlib import Path

import platformdirs

from engine.system.paths import user_folder

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime: no events, no device id, no uploads
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray: no usage report

# Caches of matplotlib (fonts) and numba (compiled functions of librosa) lie with livecover's own.
_cache = user_folder(lambda: platformdirs.user_cache_path("livecover", appauthor=False))
if _cache is None:  # nobody knows a home folder
    _cache = Path(tempfile.gettempdir()) / "livecover"
os.environ.setdefault("MPLCONFIGDIR", str(_cache / "matplotlib"))
os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache / "numba"))
