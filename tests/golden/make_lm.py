# SPDX-License-Identifier: MIT
"""Golden tensors of the decoder, computed by transformers from tests/golden/tiny. See make_tiny.py."""
import torch
from safetensors.torch import save_file

from make_tiny import FOLDER, load

FRAMES = 20
GUIDANCE = 3.0


def exact_positions(model):
    """The reference evaluates its table in f32; ours is evaluated in f64 and rounded once."""
    table = model.decoder.model.decoder.embed_positions
    half = model.config.decoder.hidden_size // 2
    f = torch.exp(-torch.arange(half, dtype=torch.float64) * torch.log(torch.tensor(10000.0, dtype=torch.float64)) / (half - 1))
    phase = torch.arange(table.weights.shape[0], dtype=torch.float64)[:, None] * f[None]
    with torch.no_grad():
        table.weights.copy_(torch.cat([phase.cos(), phase.sin()], dim=1).float())


def text_states(model, tokens):
    states = model.text_encoder(input_ids=tokens).last_hidden_state
    return states, model.enc_to_dec_proj(states)


def greedy(model, guidance, **arguments):
    """The codes transformers itself generates, [K, FRAMES], and the smallest gap between the two best logits of a choice."""
    caught, gaps = [], []
    decode, K = model.audio_encoder.decode, model.config.decoder.num_codebooks

    def catch(*args, **kwargs):
        caught.append(kwargs.get("audio_codes", args[0] if args else None))
        return decode(*args, **kwargs)

    def watch(ids, scores):
        best = scores.topk(2, dim=-1).values
        s = len(gaps) + 1  # the column that is chosen: codebook k is made in columns k + 1 to k + FRAMES
        made = [k for k in range(K) if 0 <= s - 1 - k < FRAMES]
        gaps.append((best[:, 0] - best[:, 1]).reshape(-1, K)[0, made].min().item())
        return scores

    model.audio_encoder.decode = catch
    model.generate(do_sample=False, guidance_scale=guidance, logits_processor=[watch], max_new_tokens=FRAMES + 3, **arguments)
    model.audio_encoder.decode = decode
    return caught[0].reshape(K, -1), min(gaps)


def unguided(model, tokens):
    """Codes made with the text alone, and with nothing: one row, no guidance."""
    ones = torch.ones_like(tokens)
    null = model.get_unconditional_inputs(num_samples=1)
    found = {}
    for name, arguments in {
        "codes_unguided": {"input_ids": tokens, "attention_mask": ones},
        "codes_free": {"encoder_outputs": null.encoder_outputs, "attention_mask": null.attention_mask},
    }.items():
        codes, gap = greedy(model, 1.0, **arguments)
        assert codes.shape == (4, FRAMES) and len(codes.unique()) > 10, (name, codes)
        assert gap > 3e-4, (name, gap)  # our logits differ from the reference's by some 1e-6
        found[name] = codes.int()
    return found


def grid_of(codes, special):
    K, T = codes.shape
    grid = torch.full((T + K, K), special, dtype=torch.long)
    for k in range(K):
        grid[1 + k : 1 + k + T, k] = codes[k]
    return grid


def forward(model, grid, condition):
    """Teacher-forced: logits [S, K, V] of every column, z [L, H, D] of the last."""
    heads = []

    def hook(module, arguments):
        heads.append(arguments[0][0, -1].clone())

    layers = model.decoder.model.decoder.layers
    handles = [layer.self_attn.out_proj.register_forward_pre_hook(hook) for layer in layers]
    ids = grid.T  # [K, S]: K rows of one sequence
    arguments = {} if condition is None else {"encoder_hidden_states": condition}
    logits = model.decoder(input_ids=ids, **arguments).logits  # [K, S, V]
    for handle in handles:
        handle.remove()
    H = model.config.decoder.num_attention_heads
    return logits.transpose(0, 1).contiguous(), torch.stack(heads).reshape(len(layers), H, -1)


@torch.no_grad()
def main():
    model = load()
    exact_positions(model)
    tokens = torch.tensor([[5, 17, 33, 9, 1]])
    hidden, condition = text_states(model, tokens)
    codes, _ = greedy(model, GUIDANCE, input_ids=tokens, attention_mask=torch.ones_like(tokens))
    assert codes.shape == (4, FRAMES), codes.shape
    assert len(codes.unique()) > 20, "degenerate codes test nothing"
    grid = grid_of(codes, model.config.decoder.vocab_size)
    cond, z_cond = forward(model, grid, condition)
    uncond, z_uncond = forward(model, grid, None)
    guided = uncond + GUIDANCE * (cond - uncond)
    # The test replays the greedy choice: no near-ties, please.
    margins = []
    for k in range(4):
        best = guided[k : k + FRAMES, k].topk(2).values
        assert torch.equal(guided[k : k + FRAMES, k].argmax(-1), codes[k]), k
        margins.append((best[:, 0] - best[:, 1]).min().item())
    assert min(margins) > 5e-3, margins
    print("smallest margin", min(margins), "codes", codes.tolist())
    golden = {
        "text": hidden[0], "codes": codes.int(), "grid": grid.int(),
        "cond": cond, "uncond": uncond, "z_cond": z_cond, "z_uncond": z_uncond,
    }
    golden |= unguided(model, tokens)
    save_file({name: tensor.contiguous() for name, tensor in golden.items()}, FOLDER / "lm_golden.safetensors")


if __name__ == "__main__":
    main()
