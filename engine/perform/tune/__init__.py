"""The tune's notes: what is one, how softly it may begin, its slurs, its scale, where it lies."""
