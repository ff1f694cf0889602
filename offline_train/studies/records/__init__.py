"""Records and the mixes that training makes, side by side."""
