import torch

from models.beat import OUTPUTS, BeatConfig, BeatNetwork

TINY = BeatConfig(width=8, hidden=6)


def test_streaming_equals_one_pass_for_any_block() -> None:
    torch.manual_seed(0)
    network = BeatNetwork(TINY).eval()
    features = torch.randn(2, 31, TINY.n_bins)
    whole, _ = network(features, network.init_state(2))
    for size in (1, 2, 7, 31):
        state, parts = network.init_state(2), []
        for rows in torch.split(features, size, 1):
            logits, state = network(rows, state)
            parts.append(torch.stack([logits[name] for name in OUTPUTS], 2))
        streamed = torch.cat(parts, 1)
        torch.testing.assert_close(streamed, torch.stack([whole[n] for n in OUTPUTS], 2))


def test_it_hears_no_frame_that_is_yet_to_come() -> None:
    network = BeatNetwork(TINY).eval()
    features = torch.randn(1, 20, TINY.n_bins)
    changed = features.clone()
    changed[:, 12:] += 1.0
    for name in OUTPUTS:
        before, after = (network(x, network.init_state(1))[0][name] for x in (features, changed))
        torch.testing.assert_close(before[:, :12], after[:, :12])
        assert not torch.allclose(before[:, 12:], after[:, 12:])


def test_the_full_network_is_small() -> None:
    network = BeatNetwork(BeatConfig())
    assert sum(p.numel() for p in network.parameters()) < 350_000
