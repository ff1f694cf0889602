"""What a file is by its first bytes, to tell people what they gave in place of what is needed."""

import codecs
from pathlib import Path

from engine.system.extras import needs
from engine.system.paths import shown

HEAD_BYTES = 512
"""As many bytes of a file tell."""

FILE_SUFFIXES = frozenset(
    # what libsndfile reads
    ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .w64 .caf .au .snd .rf64 "
    # what decoders read, or nobody
    ".m4a .m4b .m4p .m4r .aac .mp4 .m4v .wma .wmv .asf .mkv .mka .webm .weba .mov .avi .mpg .mpeg "
    ".ts .mts .m2ts .vob .ogv .flv .3gp .3g2 .amr .ape .wv .mpc .dsf .dff .ac3 .eac3 .dts .mp1 "
    ".mp2 .tta .tak .spx .ra .rm .aa .aax .cda "
    # no sound at all
    ".m3u .m3u8 .pls .xspf .cue .mid .midi .kar .rmi .musicxml .mxl .htm .html .txt .pdf "
    ".zip".split()
)
"""Endings by which a word means a file, there or not."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"MThd", "a MIDI file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
    (b"\x30\x26\xb2\x75", "a Windows Media file (WMA, WMV)"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"FLV", "a Flash video"),
    (b"#!AMR", "an AMR recording"),
    (b"MAC ", "a Monkey's Audio file"),
    (b"wvpk", "a WavPack file"),
    (b"#EXTM3U", "a playlist"),
    (b"[playlist]", "a playlist"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
_RIFF = {
    b"WAVE": "a WAV file",
    b"RMID": "a MIDI file",
    b"sfbk": "a SoundFont",
    b"AVI ": "an AVI video",
    b"WEBP": "a picture",
    b"CDDA": "a pointer to a track of a CD",
}
_OGG_AT = 28  # bytes of its first page before the name of what is in it
_OGG = {
    b"\x7fFLAC": "an Ogg FLAC file",
    b"Speex   ": "a Speex file",
    b"\x80theora": "an Ogg video",
}
_MP4_SOUND = (b"M4A ", b"M4B ")
_MP4_PROTECTED = (b"M4P ", b"aax ")
_MARKUP = (
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"<asx", "a playlist"),
    (b"<?xml", "an XML document"),
)

_UNKNOWN = "an unknown file"
_READ = ("a WAV file", "a FLAC file", "an Ogg file", "an MP3 file", "an AIFF file")
_WITH_SOUND = (
    "an AAC file",
    "an AAC file (M4A)",
    "a video (MP4)",
    "a Windows Media file (WMA, WMV)",
    "an AMR recording",
    "a Monkey's Audio file",
    "a WavPack file",
    *_OGG.values(),
)
_MISLEADING = "does not exist"  # what libsndfile says of a file that ends within its first frame

_ADVICE = {
    "a web page (HTML)": "a download that failed, as it seems; get the song itself",
    "a playlist": "give one of the files that it names",
    "a MIDI file": "it holds notes already; give the song's sound",
    "a pointer to a track of a CD": "copy the CD's track into a WAV file first",
    "a ZIP archive": "unpack it, and give a song that was in it",
}


def kind_of(head: bytes) -> str:
    """Return what begins with ``head``, with its article; ``an unknown file`` where nothing fits.

    >>> kind_of(b"<!DOCTYPE html><html>"), kind_of(b"RIFF1234WAVEfmt "), kind_of(b"")
    ('a web page (HTML)', 'a WAV file', 'an empty file')
    """
    if not head:
        return "an empty file"
    for codec, kind in _OGG.items():
        if head.startswith(b"OggS") and head.startswith(codec, _OGG_AT):
            return kind
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "an AIFF file"
    if head[4:8] == b"ftyp":
        return _mp4(head[8:12])
    if head[0] == 0xFF and len(head) > 1 and head[1] & 0xE0 == 0xE0:
        return "an MP3 file" if head[1] & 0x06 else "an AAC file"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, kind in _MARKUP:
        if start.startswith(signature):
            return kind
    return "a text" if _is_text(head) else _UNKNOWN


def may_hold_sound(path: Path) -> bool:
    """Return whether a file may be sound or video. Never raises."""
    kind = _kind(path)
    is_sound = kind in _READ or kind in _WITH_SOUND or kind == _UNKNOWN
    return is_sound or kind.endswith("video")


def why_no_audio(path: Path, reason: str, has_decoder: bool = False) -> str:
    """Return what ``path`` is, in place of audio that can be read, and what to do about it.

    ``reason`` is that of who tried: libsndfile, and decoders if there is one. Never raises.
    """
    kind = _kind(path)
    name = shown(path)
    if _MISLEADING in reason:
        reason = reason.partition("; ")[2] or "there is no whole frame in it"
    if kind in _READ:
        kind += ", but broken or of another codec"
    if "protection" in kind:
        advice = "play it in its own program, and let livecover hear that with --input loopback"
    elif kind in _ADVICE:
        advice = _ADVICE[kind]
    elif not may_hold_sound(path):
        advice = "give a song"
    elif has_decoder:
        advice = f"{reason}; give another file of the song"
    else:
        advice = needs(f"{reason}; other formats need PyAV or the program ffmpeg", "formats")
    return f"{name} is not an audio file that can be read, it is {kind}: {advice}"


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return _UNKNOWN


def _mp4(brand: bytes) -> str:
    if brand in _MP4_PROTECTED:
        return "a file with copy protection (DRM)"
    return "an AAC file (M4A)" if brand in _MP4_SOUND else "a video (MP4)"


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # its last letter may be cut
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)
