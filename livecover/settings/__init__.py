"""Settings: sections, files, which file is trusted, and saving what has changed."""
