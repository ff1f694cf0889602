"""The protocol of a source, and inputs of PortAudio."""
