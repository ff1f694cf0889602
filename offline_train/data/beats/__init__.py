"""Songs with their true beats, and crops of them, for the beat network."""
