import logging

import pytest
import torch
from torch import nn

from models.streaming import StreamingConfig, StreamingCover
from offline_train.training import fused_gru
from offline_train.training.fused_gru import FusedGRU, fuse


@pytest.fixture
def grus() -> tuple[nn.GRU, nn.GRU]:
    torch.manual_seed(0)
    plain, twin = nn.GRU(5, 7, batch_first=True), nn.GRU(5, 7, batch_first=True)
    twin.load_state_dict(plain.state_dict())
    if type(fuse(twin)) is not FusedGRU:
        pytest.skip("there is no C compiler here")
    return plain, twin


def test_fused_gru_gives_the_hidden_states_and_gradients_of_torchs(
    grus: tuple[nn.GRU, nn.GRU],
) -> None:
    results = []
    for gru in grus:
        x = torch.linspace(-3, 3, 4 * 11 * 5).reshape(4, 11, 5).sin().requires_grad_()
        state = torch.linspace(-1, 1, 4 * 7).reshape(1, 4, 7).requires_grad_()
        out, last = gru(x, state)
        assert torch.equal(out[:, -1], last[0])
        (out**3).sum().backward()
        results.append([out, x.grad, state.grad, *(p.grad for p in gru.parameters())])
    for expected, got in zip(*results, strict=True):
        assert torch.allclose(expected, got, atol=1e-5, rtol=1e-4)


def test_fused_gru_stays_a_number_however_large_its_input(grus: tuple[nn.GRU, nn.GRU]) -> None:
    for size in (50.0, 100.0, 1e4):
        x = size * torch.linspace(-3, 3, 4 * 11 * 5).reshape(4, 11, 5).sin()
        outs = [gru(x, torch.zeros(1, 4, 7))[0] for gru in grus]
        assert torch.allclose(outs[0], outs[1], atol=1e-5)
        outs[1].sum().backward()
        assert all(
            bool(p.grad.isfinite().all()) for p in grus[1].parameters() if p.grad is not None
        )


def test_fused_network_keeps_the_names_of_its_weights(grus: tuple[nn.GRU, nn.GRU]) -> None:
    network = StreamingCover(StreamingConfig())
    names = list(network.state_dict())
    assert list(fuse(network).state_dict()) == names


@pytest.mark.usefixtures("grus")
def test_the_smallest_numbers_stay_what_they_are_beside_fused_grus() -> None:
    fused_gru.kernels.cache_clear()
    fused_gru.kernels()
    smallest = torch.finfo(torch.float64).smallest_normal
    assert smallest / 2 > 0


def test_without_a_compiler_torchs_own_gru_trains_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none() -> None:
        raise OSError("no cc")

    monkeypatch.setattr(fused_gru, "kernels", none)
    with caplog.at_level(logging.WARNING):
        assert type(fuse(nn.GRU(5, 7, batch_first=True))) is nn.GRU
    assert "no cc" in caplog.text
