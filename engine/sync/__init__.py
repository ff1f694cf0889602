"""The song's beat for other programs: MIDI clock, and Ableton Link."""
