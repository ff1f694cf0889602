"""A song's piano arrangement, bar by bar: beats, grid, harmony, an ONNX arranger, notation.

For whole files; nothing here runs live.
"""
