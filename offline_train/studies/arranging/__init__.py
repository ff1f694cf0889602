"""How the arranger (``models.arrangement``) is made: units of songs, stages, export, study."""
