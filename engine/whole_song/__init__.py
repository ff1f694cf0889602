"""A whole song at once: its cover, and its arrangement bar by bar, as notes and as a score.

Arrangement: beats, grid, harmony, an ONNX arranger, notation.
"""
