"""MIDI mapping: which message of a controller means which setting or command."""
