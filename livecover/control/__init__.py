"""MIDI control from hardware and a DAW, and feedback to them.

``listener`` handles what comes, on a thread; ``command_queue`` makes the changes; ``clock``
measures the tempo of MIDI clock; ``feedback`` updates faders and lamps; ``ports`` opens the ports;
``learning`` is the command ``livecover learn``. The mapping is ``livecover.mapping``.
"""
