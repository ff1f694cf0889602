"""Build the app into dist/livecover: ``python3 scripts/app/build.py``, which ``make app`` calls.

In an environment of its own, which has only what plays live and PyInstaller: nothing else of this
machine's Python can get into the app. On each of Linux, macOS and Windows, for that system.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Install, build, and say where the app is and how large."""
    with tempfile.TemporaryDirectory(prefix="livecover-app-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "Scripts" if sys.platform == "win32" else "bin", "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", f"{ROOT}[app]"], check=True)
        build = ["--noconfirm", "--log-level", "WARN"]
        build += ["--distpath", ROOT / "dist", "--workpath", Path(folder, "build")]
        spec = ROOT / "scripts" / "app" / "livecover.spec"
        subprocess.run([python, "-m", "PyInstaller", *build, spec], check=True, cwd=folder)
    app = ROOT / "dist" / "livecover"
    size = sum(file.stat().st_size for file in app.rglob("*") if file.is_file())
    print(f"{app}: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
