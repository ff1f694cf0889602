"""MIDI ports that come back: which port a name means, and clients of ALSA, JACK and others."""
