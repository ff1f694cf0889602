"""The networks, one PyTorch file each, and ``spec``, which says what a model takes and gives."""
