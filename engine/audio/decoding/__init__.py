"""Sound in formats that libsndfile does not read: AAC, WMA, Opus in videos, and many more."""
