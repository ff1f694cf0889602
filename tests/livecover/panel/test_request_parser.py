"""A page's words: what is understood, and what is not."""

import base64
import json

import pytest

from engine.core.errors import ConfigError
from livecover.panel.request_parser import parse
from livecover.panel.requests import (
    MAX_MESSAGE,
    MAX_STYLE_FILE,
    Change,
    CorrectBeat,
    Do,
    Drawn,
    Ping,
    Save,
    StyleFile,
)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"type":"ping","id":3}', Ping(3)),
        ('{"type":"do","action":"panic"}', Do("panic")),
        ('{"type":"do","action":"snapshot","key":"B"}', Do("snapshot", "B")),
        ('{"type":"save","id":"1f"}', Save("1f")),
        ('{"type":"beat","correction":"tap","at":1.5}', CorrectBeat("tap", 1.5)),
        ('{"type":"beat","correction":"one","at":null}', CorrectBeat("one", None)),
        ('{"type":"do","action":"learn","key":"tap"}', Do("learn", "tap")),
        (
            '{"type":"change","values":{"model.style":0.5,"time.latency":null}}',
            Change({"model.style": 0.5, "time.latency": None}),
        ),
        ('{"type":"drawn","notes":[[1,60,1.5]]}', Drawn(((1.0, 60, 1.5),))),
        ('{"type":"style_file","name":"a.mid","data":"AAE="}', StyleFile("a.mid", b"\0\1")),
    ],
)
def test_understood(text: str, request_: object) -> None:
    assert parse(text) == request_


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a message must be a JSON object"),
        ("[]", "a message must be a JSON object"),
        ("[" * MAX_MESSAGE, "a message must be a JSON object"),
        ('{"type":"ping","id":NaN}', "a message must be a JSON object"),
        ("{}", "unknown type of message None"),
        ('{"type":["ping"]}', "unknown type of message"),
        ('{"type":"ping"}', "this message must have id, not $"),
        ('{"type":"ping","id":1,"more":2}', "this message must have id, not id, more"),
        ('{"type":"ping","id":true}', "id must be a whole number, not True"),
        ('{"type":"ping","id":1e400}', "id must be a whole number"),
        ('{"type":"do","action":"fly"}', "action must be one of start, stop, .*, not fly"),
        ('{"type":"do","action":["start"]}', "action must be one of"),
        ('{"type":"do","action":"snapshot","key":["A"]}', "a snapshot is A or B, not"),
        ('{"type":"do","action":"learn","key":["A"]}', "no controller can control"),
        ('{"type":"save"}', "this message must have id, not $"),
        ('{"type":"beat","correction":"tap"}', "this message must have correction and at"),
        ('{"type":"beat","correction":[],"at":1}', "correction must be one of tap, .* not"),
        ('{"type":"beat","correction":"tap","at":"1"}', "at must be a number or null, not 1"),
        ('{"type":"change","values":{}}', "values must be an object"),
        ('{"type":"change","values":[1]}', "values must be an object"),
        ('{"type":"change","values":{"log.level":"debug"}}', "the panel may not change log.level"),
        ('{"type":"change","values":{"model.style":1e400}}', "model.style must be text, a number"),
        ('{"type":"change","values":{"model.style":{}}}', "model.style must be text, a number"),
        ('{"type":"change","values":{"model.style":[[1]]}}', "model.style must be text, a number"),
        (
            json.dumps({"type": "change", "values": {"midi.midi_out": ["a"] * 33}}),
            "midi.midi_out must be text, .* or a short list",
        ),
        (
            json.dumps({"type": "change", "values": {"audio.input": "a" * 513}}),
            "audio.input must be text",
        ),
        (
            json.dumps({"type": "change", "values": {"audio.input": "a" * MAX_MESSAGE}}),
            f"expected at most {MAX_MESSAGE} characters, got ",
        ),
        ('{"type":"style_file","name":"a","data":"?"}', "data must be a MIDI file in base64"),
        ('{"type":"style_file","name":1,"data":""}', "style_file must have name and data"),
        ('{"type":"drawn","notes":[[1,2]]}', "notes must be at most 64 lists"),
        ('{"type":"drawn","notes":[[1,2,"x"]]}', "notes must be at most 64 lists"),
        (json.dumps({"type": "drawn", "notes": [[1, 2, 3]] * 65}), "notes must be at most 64"),
    ],
)
def test_not_understood(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_style_file_has_a_size() -> None:
    for size in (MAX_STYLE_FILE, MAX_STYLE_FILE + 1):
        data = base64.b64encode(bytes(size)).decode()
        text = json.dumps({"type": "style_file", "name": "a\nb" * 99, "data": data})
        if size > MAX_STYLE_FILE:
            with pytest.raises(ConfigError, match="may have 256 kB, not 257"):
                parse(text)
        else:
            found = parse(text)
            assert isinstance(found, StyleFile) and len(found.name) == 80
