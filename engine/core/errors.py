"""The errors meant for the user. A message says what was expected, what came, and what to do."""


class LiveCoverError(Exception):
    """Root of every error that is meant for the user; the command line prints it as one line."""


class ConfigError(LiveCoverError):
    """A setting has a wrong name, type or value."""


class DeviceError(LiveCoverError):
    """An audio device or file cannot be opened or read, or was lost."""


class StoppedError(LiveCoverError):
    """Nothing plays any more, or not for long: what was asked for was not done."""


class MidiError(LiveCoverError):
    """A MIDI port or file cannot be opened or written."""


class ModelError(LiveCoverError):
    """A model or front-end file is missing, broken, or of another kind."""


class DataError(LiveCoverError):
    """Training data is missing or broken."""
