"""Piano accompaniment unit by unit from chords, sound and texture; notes in groups.

"Audio-to-symbolic arrangement via cross-modal music representation learning" (Wang, Xu, Xia and
Shan, ICASSP 2022), with sizes from its public code. A unit is eight beats, 32 steps of a sixteenth:

1. chords: a bidirectional GRU over eight beats, each 36 numbers (root, chroma, bass), to 128;
2. sound: a transcriber's outputs at each step, by pitch, through a convolution and a GRU, to 192;
3. texture: the score of the unit, corrupted, through a convolution and a GRU, to a Gaussian of 192.
   Training leads its place from the score to a standard normal, so that inference needs no score;
4. decoder, as in PianoTree (Wang et al., ISMIR 2020): one GRU over the steps, whose input is the
   group of notes before, and in each step one over the notes of a group, upwards: pitch, length;
5. auxiliary outputs from the latent: the bass, onsets, and loudness.

We differ: melody is a fourth channel of the sound, lengths are one choice of 32 instead of five
bits, the chord encoder is trained with the rest, and a group is summarised by a sum instead of a
GRU. In the last stage a unit also gets the texture of the one before (``follow``).

Shapes: B units, K = 8 beats, S = 32 steps, P = 88 pitches, N = 16 notes at most, Z latent.
Not here: stages and losses (``offline_train.studies.arranging``), songs (``engine.whole_song``).
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from models.spec import N_PITCHES

N_BEATS, STEPS_PER_BEAT = 8, 4
N_STEPS = N_BEATS * STEPS_PER_BEAT
MAX_NOTES = 16
CHORD_DIM = 36
SOUND_CHANNELS = 4  # onset, frame, velocity, melody
END = N_PITCHES  # of a group
BEGIN = N_PITCHES + 1
PAD = -100  # what cross-entropy passes over


@dataclass(frozen=True, slots=True)
class ArrangementConfig:
    """Sizes; the defaults are those of the paper's code."""

    hidden: int = 256  # of the encoders' GRUs
    z_chord: int = 128
    z_sound: int = 192
    z_texture: int = 192
    note: int = 128
    time_hidden: int = 1024
    note_hidden: int = 512

    @property
    def z(self) -> int:
        """Size of the whole latent."""
        return self.z_chord + self.z_sound + self.z_texture

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


class Texture(NamedTuple):
    """A Gaussian (B, Z) over textures."""

    mean: Tensor
    log_variance: Tensor


class Auxiliary(NamedTuple):
    """Bass logits (B, S, P + 1), the last for none; rhythm logits and intensity (B, S)."""

    bass: Tensor
    rhythm: Tensor
    intensity: Tensor


class PitchEncoder(nn.Module):
    """Images (B, S, P, C) -> ``n_out`` numbers: a convolution by octaves, then a GRU over steps."""

    def __init__(self, channels: int, hidden: int, n_out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 10, (4, 12), padding=(2, 0))
        self.gru = nn.GRU(
            10 * ((N_PITCHES - 11) // 4), hidden, batch_first=True, bidirectional=True
        )
        self.out = nn.Linear(2 * hidden, n_out)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, n_out)."""
        x = torch.relu(self.convolution(image.permute(0, 3, 1, 2)))[:, :, :N_STEPS]
        x = functional.max_pool2d(x, (1, 4))  # (B, 10, S, octave places)
        _, last = self.gru(x.permute(0, 2, 1, 3).flatten(2))
        out: Tensor = self.out(last.transpose(0, 1).flatten(1))
        return out


class NoteDecoder(nn.Module):
    """A latent (B, Z) and the notes before -> the notes: a GRU over steps, one over each group."""

    def __init__(self, c: ArrangementConfig) -> None:
        super().__init__()
        self.pitch = nn.Embedding(N_PITCHES + 2, c.note)  # notes, END, BEGIN
        self.length = nn.Embedding(N_STEPS + 1, c.note)  # the last one of BEGIN
        self.summary = nn.Linear(c.note, c.note)
        self.first = nn.Linear(c.z, c.time_hidden)
        self.time = nn.GRU(c.z + c.note, c.time_hidden, batch_first=True)
        self.group = nn.Linear(c.time_hidden, c.note_hidden)
        self.notes = nn.GRU(c.note, c.note_hidden, batch_first=True)
        self.to_pitch = nn.Linear(c.note_hidden, N_PITCHES + 1)
        self.to_length = nn.Linear(c.note_hidden, N_STEPS)
        self.length_of_pitch = nn.Linear(c.note, N_STEPS, bias=False)

    def forward(self, z: Tensor, pitches: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of pitches (B, S, N + 1, P + 1) and lengths (B, S, N, S), notes known.

        Past the end of a group they say nothing. ``pitches`` and ``lengths`` (B, S, N) int64 rise
        in pitch and end with ``PAD``.
        """
        batch = len(z)
        is_note = pitches != PAD
        embedded = self.embed(pitches.clamp(min=0), lengths.clamp(min=0)) * is_note[..., None]
        groups = torch.tanh(self.summary(embedded.sum(2)))
        before = functional.pad(groups, (0, 0, 1, 0))[:, :-1]
        along = torch.cat([before, z[:, None].expand(-1, N_STEPS, -1)], 2)
        hidden, _ = self.time(along, torch.tanh(self.first(z))[None])
        state = torch.tanh(self.group(hidden)).flatten(0, 1)[None]
        begin = self.begin(batch * N_STEPS)
        inputs = torch.cat([begin[:, None], embedded.flatten(0, 1)], 1)
        counts = is_note.sum(2).flatten() + 1  # most groups are empty: only their notes are read
        packed = pack_padded_sequence(inputs, counts.cpu(), True, enforce_sorted=False)
        packed, _ = self.notes(packed, state)
        shape = (batch, N_STEPS, MAX_NOTES + 1, -1)
        of_notes = _unpacked(packed, self.to_pitch).view(shape)
        of_lengths = _unpacked(packed, self.to_length).view(shape)
        of_pitch = self.length_of_pitch(self.pitch(pitches.clamp(min=0)))
        return of_notes, of_lengths[:, :, :-1] + of_pitch

    def embed(self, pitches: Tensor, lengths: Tensor) -> Tensor:
        """Return (..., note) of pitches and lengths (...) int64."""
        embedded: Tensor = self.pitch(pitches) + self.length(lengths)
        return embedded

    def begin(self, n: int) -> Tensor:
        """Return what stands before the first note of n groups, (n, note)."""
        at = torch.full((n,), BEGIN, device=self.pitch.weight.device)
        return self.embed(at, torch.full_like(at, N_STEPS))


def _unpacked(packed: PackedSequence, layer: nn.Module) -> Tensor:
    """Return a layer's answers (n, N + 1, ...) to packed notes, zeros where there is none."""
    answers = packed._replace(data=layer(packed.data))
    padded: Tensor = pad_packed_sequence(answers, True, total_length=MAX_NOTES + 1)[0]
    return padded


class Arrangement(nn.Module):
    """All of it; ``encode`` and ``decoder`` are what inference runs."""

    def __init__(self, config: ArrangementConfig) -> None:
        super().__init__()
        c = self.config = config
        self.chord_gru = nn.GRU(CHORD_DIM, c.hidden, batch_first=True, bidirectional=True)
        self.chord_out = nn.Linear(2 * c.hidden, c.z_chord)
        self.sound = PitchEncoder(SOUND_CHANNELS, c.hidden, c.z_sound)
        self.score = PitchEncoder(2, c.hidden, 2 * c.z_texture)
        self.follow = nn.Linear(c.z_texture, c.z_texture)
        nn.init.zeros_(self.follow.weight)
        nn.init.zeros_(self.follow.bias)
        self.decoder = NoteDecoder(c)
        self.auxiliary_gru = nn.GRU(c.z, c.hidden, batch_first=True)
        self.auxiliary_out = nn.Linear(c.hidden, N_PITCHES + 3)

    def texture(self, score: Tensor) -> Texture:
        """Return the Gaussian of scores (B, S, P, 2): onset, frame."""
        out = self.score(score)
        z = self.config.z_texture
        return Texture(out[:, :z], out[:, z:].clamp(-8, 4))

    def encode(self, chords: Tensor, sound: Tensor, texture: Tensor) -> Tensor:
        """Return the latent (B, Z) of chords (B, K, 36), sound (B, S, P, 4), texture (B, Z3)."""
        _, last = self.chord_gru(chords)
        chord = self.chord_out(last.transpose(0, 1).flatten(1))
        return torch.cat([chord, self.sound(sound), texture], 1)

    def texture_after(self, previous: Tensor, has_previous: Tensor) -> Tensor:
        """Return the texture (B, Z3) to expect after scores (B, S, P, 2), 0 without (B, 1)."""
        following: Tensor = self.follow(self.texture(previous).mean)
        return following * has_previous

    def auxiliary(self, z: Tensor) -> Auxiliary:
        """Return the auxiliary outputs of latents (B, Z)."""
        hidden, _ = self.auxiliary_gru(z[:, None].expand(-1, N_STEPS, -1))
        out = self.auxiliary_out(hidden)
        return Auxiliary(
            out[..., : N_PITCHES + 1], out[..., N_PITCHES + 1], out[..., N_PITCHES + 2].sigmoid()
        )


class Encoding(nn.Module):
    """The graph of a unit: chords, sound, the unit before -> latent, first state, aux outputs."""

    def __init__(self, network: Arrangement) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, chords: Tensor, sound: Tensor, previous: Tensor, has_previous: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return latent (1, Z), time state (1, 1, H), rhythm (1, S) in [0, 1], intensity (1, S)."""
        n = self.network
        z = n.encode(chords, sound, n.texture_after(previous, has_previous))
        auxiliary = n.auxiliary(z)
        state = torch.tanh(n.decoder.first(z))[None]
        return z, state, auxiliary.rhythm.sigmoid(), auxiliary.intensity


class StepOf(nn.Module):
    """The graph of a step: latent, sum of the group before, its state -> state, group's state."""

    def __init__(self, decoder: NoteDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, z: Tensor, group: Tensor, has_group: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the next state (1, 1, H) and the group's first (1, 1, H2).

        ``group`` (1, note) is the sum of the last group's embeddings; ``has_group`` (1, 1) is 0 in
        the first step, which has none before it.
        """
        d = self.decoder
        before = torch.tanh(d.summary(group)) * has_group
        _, state = d.time(torch.cat([before, z], 1)[:, None], state)
        return state, torch.tanh(d.group(state))


class NoteOf(nn.Module):
    """The graph of a note: the note before it in the group, the group's state -> what follows."""

    def __init__(self, decoder: NoteDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, pitch: Tensor, length: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return pitch logits (1, P + 1), length logits (1, P, S), embedding (1, note), state.

        ``pitch`` and ``length`` (1,) float32 hold whole numbers: those of the note before, or
        ``BEGIN`` and ``N_STEPS``. ``embedding`` is of that note.
        """
        d = self.decoder
        embedding = d.embed(pitch.long(), length.long())
        out, state = d.notes(embedding[:, None], state)
        of_pitch = d.length_of_pitch(d.pitch.weight[:N_PITCHES])
        lengths = d.to_length(out) + of_pitch[None]
        return d.to_pitch(out[:, 0]), lengths, embedding, state
