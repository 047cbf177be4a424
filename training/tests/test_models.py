# SPDX-License-Identifier: MIT
"""Needs the training environment: `python -m pytest training/tests`."""

import pytest

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from training.codec import fast, losses, model as codec_model  # noqa: E402
from training.floors import frechet  # noqa: E402
from training.lm import data, model as lm_model, optim, sample  # noqa: E402
from training.settings import CodecSettings, LmSettings  # noqa: E402

CODEC = CodecSettings(filters=4, hidden=8, codes=32, bandwidth=1.0)
SMALL = LmSettings(hidden=32, layers=2, heads=4, text_hidden=16, text_layers=1, text_heads=2)


@pytest.fixture(scope="module")
def whole():
    torch.manual_seed(0)
    codec = CodecSettings(filters=4, hidden=8, codes=1024)
    return lm_model.build(SMALL, codec, pieces=50).eval()


def test_fast_codec_equals_transformers():
    torch.manual_seed(0)
    model = codec_model.build(CODEC)
    quick = fast.Fast(model, torch.float32, compiled=False)
    wave = torch.randn(2, 6400) * 0.1
    with torch.no_grad():
        latents = model.encoder(wave[:, None])
        assert (latents.transpose(1, 2) - quick.encode(wave)).abs().max() < 1e-5
        assert (model.decoder(latents)[:, 0] - quick.decode(latents.transpose(1, 2))).abs().max() < 1e-5


def test_quantizer_matches_class_and_revives_dead_codes():
    torch.manual_seed(0)
    model = codec_model.build(CODEC)
    learner = codec_model.Quantizer(model, 0.9)
    latents = torch.randn(4, 50, 8)
    learner.initialise(latents.flatten(0, 1))
    out, _, codes, _ = learner(latents, learn=False)
    ours = model.quantizer.encode(latents.transpose(1, 2), 1.0)
    assert torch.equal(ours.flatten(1), codes)
    assert torch.allclose(model.quantizer.decode(ours).transpose(1, 2), out, atol=1e-5)
    for book in learner.books:
        book.cluster_size.zero_()
    assert learner(latents)[3] > 0


def test_forward_equals_transformers(whole):
    torch.manual_seed(1)
    grid = lm_model.delayed(torch.randint(0, 1024, (2, 4, 20)), 1024)
    ids, mask = torch.randint(3, 50, (2, 8)), torch.ones(2, 8)
    mask[1, 5:] = 0
    states = lm_model.text_states(whole, ids, mask, torch.ones(2))
    ours = lm_model.logits(whole, lm_model.hidden_states(whole, grid, states, mask))
    theirs = whole(input_ids=ids, attention_mask=mask.long(),
                   decoder_input_ids=grid.flatten(0, 1)).logits.view(2, 4, grid.shape[2], 1024)
    assert (ours.transpose(1, 2) - theirs).abs().max() < 1e-4


def test_dropped_caption_is_unconditional(whole):
    grid = lm_model.delayed(torch.randint(0, 1024, (2, 4, 12)), 1024)
    ids, mask = torch.randint(3, 50, (2, 8)), torch.ones(2, 8)
    states = lm_model.text_states(whole, ids, mask, torch.zeros(2))
    dropped = lm_model.hidden_states(whole, grid, states, mask)
    assert torch.allclose(dropped, lm_model.hidden_states(whole, grid), atol=1e-6)


def test_delay_pattern():
    grid = lm_model.delayed(torch.arange(6).expand(1, 4, 6), 99)[0]
    assert grid[0].tolist() == [99, 0, 1, 2, 3, 4, 5, 99, 99, 99]
    assert grid[3].tolist() == [99, 99, 99, 99, 0, 1, 2, 3, 4, 5]


def test_sampling_keeps_the_prompt(whole):
    prompt = torch.randint(0, 1024, (2, 4, 10))
    codes = sample.unconditional(whole, 2, 16, 1, prompt=prompt)
    assert codes.shape == (2, 4, 16) and torch.equal(codes[:, :, :10], prompt)
    assert codes.max() < 1024


def test_muon_steps_are_orthogonal():
    torch.manual_seed(0)
    step = optim.orthogonal(torch.randn(2, 24, 48))
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.5 and values.max() < 1.4


def test_frechet_of_equal_and_shifted_sets():
    rows = torch.randn(500, 6).numpy()
    assert abs(frechet.frechet(rows, rows)) < 1e-9
    assert abs(frechet.frechet(rows, rows + 1) - 6) < 1e-6


def test_si_sdr_ignores_level():
    wave = torch.randn(1, 1000)
    noise = torch.randn(1, 1000) * 0.1
    assert abs(losses.si_sdr(2 * (wave + noise), wave) - 20) < 1.5


def test_balancer_bounds_every_row():
    torch.manual_seed(0)
    output = torch.randn(6, 400, requires_grad=True)
    weight = torch.ones(6, 1)
    weight[0] = 1e4                                 # one crop with an enormous gradient
    balance = losses.Balancer({"a": 1.0})
    grad = balance(output, {"a": (weight * output).abs().mean()}) * len(output)
    norms = grad.norm(dim=1)
    assert norms[0] <= 4.01 and abs(norms[1] - 1) < 1e-3


def test_excerpts_mark_who_sounds(tmp_path, monkeypatch):
    codes = np.zeros((2, 4, 60), np.uint16)
    active = np.zeros((5, 60), bool)
    active[0, 30:] = active[2] = True
    np.savez(tmp_path / "000000.npz", codes=codes, variants=["mix", "-guitar"], activity=active, meta="{}")
    monkeypatch.setattr(data.captions, "caption", lambda *rest: "words")
    tokenizer = type("", (), {"encode": lambda self, text: [5, 1]})()
    track = data.Track(tmp_path / "000000.npz")
    for minus_one in (0.0, 1.0):
        *_, marks = data.Excerpts([track], tokenizer, 1, minus_one).batch(3, 60)
        expected = torch.from_numpy(active[:4].copy())
        expected[2] = minus_one == 0.0
        assert marks.shape == (3, 4, 60) and (marks == expected).all()


def test_sounds_learns_the_coming_frame():
    torch.manual_seed(0)
    active = torch.rand(8, 4, 20) < 0.5
    hidden = torch.cat((active.transpose(1, 2).float(), torch.randn(8, 3, 4)), 1) @ torch.randn(4, 16)
    teller = lm_model.Sounds(16)
    optimiser = torch.optim.Adam(teller.parameters(), 0.05)
    first = teller.loss(hidden, active).item()
    for _ in range(200):
        optimiser.zero_grad()
        loss = teller.loss(hidden, active)
        loss.backward()
        optimiser.step()
    assert abs(first - 0.693) < 0.01 and loss < 0.2
