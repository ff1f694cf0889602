"""What the system plays, as an input: PulseAudio and PipeWire, Windows, macOS."""
