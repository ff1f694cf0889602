"""A song's piano arrangement, bar by bar: grid, harmony, an ONNX arranger, notation.

For whole files; nothing here runs live. Beats and MusicXML need the extra ``arrange``.
"""
