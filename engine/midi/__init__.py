"""MIDI out and in: messages, ports, files, and the thread that sends on time."""
