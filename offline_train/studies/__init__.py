"""The papers' experiments, and the search for settings."""
