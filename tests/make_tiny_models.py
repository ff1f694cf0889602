"""Make the files in tests/tiny_models anew: ``python -m tests.make_tiny_models``, with torch.

Needed only where the networks, their specs or the way of exporting change.
``tests/models/test_tiny_models.py`` fails until it is done.
"""

from tests.networks import export_tiny_models
from tests.tiny import FOLDER

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    export_tiny_models(FOLDER)
