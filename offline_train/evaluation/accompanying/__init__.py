"""How good accompaniments are: by step, in files, and of the arranger."""
