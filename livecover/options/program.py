"""Options of the program around it: recording, scores, panel, controllers, model.

The ``dest`` of each is the ``section.key`` that it sets.
"""

import argparse

from engine.system.paths import given_path
from livecover.options.values import add_switch, add_value, seconds
from livecover.settings.sections import LOG_LEVELS, STATUS_FORMS, Settings


class _Record(argparse.Action):
    """Sets the folder, and lets a take begin at the start."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, "record.at_start", True)


def add_recording(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of takes, monitor and piano."""
    group.add_argument(
        "--record",
        dest="record.folder",
        metavar="FOLDER",
        action=_Record,
        help="record takes into this folder: the notes, the song, and facts about both",
    )
    add_value(
        group,
        "--strength",
        "record.strength",
        "X",
        f"quantize: how far notes move to the grid, 0 to 1 (default: {defaults.record.strength:g})",
        float,
    )
    add_value(
        group,
        "--steps",
        "record.steps",
        "N",
        f"quantize: steps of the grid in a beat (default: {defaults.record.steps})",
        int,
    )
    add_value(
        group,
        "--monitor",
        "monitor.device",
        "DEVICE",
        "play the song on this output, delayed to sound with its notes: default, or an output's"
        f" name or index (default: {defaults.monitor.device})",
    )
    add_switch(group, "--piano", "piano.enabled", "play the notes with livecover's own piano")
    add_value(
        group,
        "--soundfont",
        "piano.soundfont",
        "FILE",
        "the piano's .sf2 or .sf3 file (default: the one that comes with livecover)",
    )


def add_calibration(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the option beside what was measured."""
    add_value(
        group,
        "--nudge",
        "calibration.nudge",
        "TIME",
        "what is played is heard so much later than livecover calibrate has measured, such as 20ms,"
        " or earlier: -20ms (default: 0)",
        seconds,
    )


def add_sync(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of MIDI clock and Ableton Link that go out."""
    add_value(
        group,
        "--sync-out",
        "sync.midi_out",
        "PORT",
        "send MIDI clock of the song's beat to this port, which may be that of the notes, or off"
        f" (default: {defaults.sync.midi_out})",
    )
    add_value(
        group,
        "--sync-offset",
        "sync.offset",
        "TIME",
        "clock is so much later than the notes, such as 10ms, or earlier: -10ms (default: 0)",
        seconds,
    )
    add_switch(group, "--link", "sync.link", "lead a session of Ableton Link with the song's beat")
    add_value(
        group,
        "--link-offset",
        "sync.link_offset",
        "TIME",
        "the session's beat is so much later than the notes, or earlier: -10ms (default: 0)",
        seconds,
    )


def add_scores(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of the arranger."""
    add_switch(
        group,
        "--arranger",
        "arranger.enabled",
        "arrange a whole file, quantized, for two hands: --midi-out FILE.mid, or FILE.musicxml for"
        " a score",
    )
    add_value(
        group,
        "--arranger-model",
        "arranger.model",
        "FOLDER",
        f"an arranger's name or folder (default: {defaults.arranger.model})",
    )


def add_interfaces(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of panel, terminal view and controllers."""
    add_switch(group, "--panel", "panel.enabled", "serve the panel, a page in the browser")
    add_value(
        group,
        "--panel-port",
        "panel.port",
        "N",
        f"the panel's TCP port, 0 for any free one (default: {defaults.panel.port})",
        int,
    )
    add_value(
        group,
        "--panel-host",
        "panel.host",
        "ADDRESS",
        "the panel's address; any but the default opens it to the network"
        f" (default: {defaults.panel.host})",
    )
    add_switch(
        group,
        "--keep-address",
        "panel.keep_address",
        "the panel's address is the same at each start (default)",
    )
    group.add_argument(
        "--renew-address",
        dest="renew_address",
        action="store_true",
        help="give the panel a new address from now on; the old one does not open it any more",
    )
    add_switch(
        group,
        "--open-browser",
        "panel.open_browser",
        "open the panel in the browser, if started in a terminal (default)",
    )
    add_switch(group, "--tui", "tui.enabled", "show notes and meters in the terminal, with keys")
    add_value(
        group,
        "--control",
        "control.port",
        "PORT",
        f"the MIDI port for controllers, or off (default: {defaults.control.port})",
    )


def add_scene(group: argparse._ArgumentGroup) -> None:
    """Add the option of a scene."""
    group.add_argument(
        "--scene",
        dest="scene",
        metavar="NAME",
        help="begin with a scene that was kept in the panel, or by its program number",
    )


def add_running(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of model, settings file and log."""
    add_value(
        group,
        "--model",
        "model.model",
        "MODEL",
        f"a model's name or .onnx file (default: {defaults.model.model})",
    )
    add_value(
        group,
        "--provider",
        "model.provider",
        "WHERE",
        "where the model runs: cpu, cuda, coreml, directml or auto"
        f" (default: {defaults.model.provider})",
    )
    add_value(
        group,
        "--threads",
        "model.threads",
        "N",
        f"threads of the model (default: {defaults.model.threads})",
        int,
    )
    add_value(
        group,
        "--config",
        "config",
        "FILE",
        "the settings file to read, instead of livecover.toml here or your own config.toml",
        given_path,
    )
    group.add_argument(
        "--status",
        dest="log.status",
        choices=STATUS_FORMS,
        help="how the state is shown: line, or json, lines for other programs"
        f" (default: {defaults.log.status})",
    )
    group.add_argument(
        "--log-level",
        dest="log.level",
        choices=LOG_LEVELS,
        help=f"how much is logged (default: {defaults.log.level})",
    )
