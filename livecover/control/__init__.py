"""Control from hardware and DAW: a MIDI port that livecover listens at, and what it answers.

``sources`` is what a controller does, ``targets`` what can be done with it, ``bindings`` the two
together as settings have them; ``clock`` makes a tempo of MIDI clock, ``feedback`` keeps faders and
lamps true, ``hands`` does what was asked, ``listener`` is all of it on a thread, ``ports`` opens
the ports, ``learning`` the command ``livecover learn``.
"""
