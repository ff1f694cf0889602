"""The arranger's network: shapes, teacher forcing equals writing step by step, following."""

import torch

from models.arrangement import (
    BEGIN,
    MAX_NOTES,
    N_STEPS,
    PAD,
    Arrangement,
    ArrangementConfig,
    Encoding,
    NoteOf,
    StepOf,
)

TINY = ArrangementConfig(
    hidden=8, z_chord=4, z_sound=4, z_texture=4, note=6, time_hidden=12, note_hidden=10
)


def test_the_sizes_are_those_of_the_papers_code() -> None:
    c = ArrangementConfig()
    assert (c.z_chord, c.z_sound, c.z_texture, c.z) == (128, 192, 192, 512)
    assert (N_STEPS, MAX_NOTES) == (32, 16)


def groups() -> tuple[torch.Tensor, torch.Tensor]:
    pitches = torch.full((1, N_STEPS, MAX_NOTES), PAD)
    lengths = pitches.clone()
    pitches[0, 0, :3], lengths[0, 0, :3] = torch.tensor([20, 40, 50]), torch.tensor([3, 1, 31])
    pitches[0, 2, :1], lengths[0, 2, :1] = 44, 7
    return pitches, lengths


def test_known_notes_give_what_step_by_step_gives() -> None:
    torch.manual_seed(1)
    network = Arrangement(TINY).eval()
    decoder = network.decoder
    z = torch.randn(1, TINY.z)
    pitches, lengths = groups()
    with torch.no_grad():
        pitch_logits, length_logits = decoder(z, pitches, lengths)
        step, note = StepOf(decoder), NoteOf(decoder)
        state = torch.tanh(decoder.first(z))[None]
        group = torch.zeros(1, TINY.note)
        for k in range(4):
            state, inner = step(z, group, torch.full((1, 1), float(k > 0)), state)
            group = torch.zeros(1, TINY.note)
            before = (float(BEGIN), float(N_STEPS))
            n_notes = int((pitches[0, k] != PAD).sum())
            for n in range(n_notes + 1):
                arguments = torch.tensor([before[0]]), torch.tensor([before[1]])
                logits, of_length, embedding, inner = note(*arguments, inner)
                if n:
                    group = group + embedding
                assert torch.allclose(logits[0], pitch_logits[0, k, n], atol=1e-5)
                if n < n_notes:
                    pitch = int(pitches[0, k, n])
                    assert torch.allclose(of_length[0, pitch], length_logits[0, k, n], atol=1e-5)
                    before = (float(pitch), float(lengths[0, k, n]))


def test_a_later_note_changes_nothing_before_it() -> None:
    torch.manual_seed(2)
    network = Arrangement(TINY).eval()
    z = torch.randn(1, TINY.z)
    pitches, lengths = groups()
    first = network.decoder(z, pitches, lengths)[0]
    pitches[0, 2, 0] = 60
    second = network.decoder(z, pitches, lengths)[0]
    assert torch.allclose(first[:, :2], second[:, :2])
    assert torch.allclose(first[:, 2, 0], second[:, 2, 0])
    assert not torch.allclose(first[:, 3], second[:, 3])


def test_following_begins_as_a_standard_normals_mean() -> None:
    network = Arrangement(TINY).eval()
    previous = torch.rand(2, N_STEPS, 88, 2).round()
    assert not network.texture_after(previous, torch.ones(2, 1)).any()
    torch.nn.init.normal_(network.follow.weight)
    known = network.texture_after(previous, torch.tensor([[1.0], [0.0]]))
    assert known[0].any() and not known[1].any()


def test_a_unit_is_encoded() -> None:
    network = Arrangement(TINY).eval()
    out = Encoding(network)(
        torch.zeros(1, 8, 36),
        torch.zeros(1, N_STEPS, 88, 4),
        torch.zeros(1, N_STEPS, 88, 2),
        torch.zeros(1, 1),
    )
    assert [tuple(part.shape) for part in out] == [(1, TINY.z), (1, 1, 12), (1, 32), (1, 32)]
