"""Where sound is heard: sinks of PulseAudio, devices of PortAudio."""
