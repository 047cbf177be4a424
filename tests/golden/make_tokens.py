# SPDX-License-Identifier: MIT
"""Make tokens.safetensors and tokens_spiece.model: what transformers' T5 tokenizer makes of 5,000 prompts.

    python tests/golden/make_tokens.py            needs sentencepiece and transformers 5

Prompts are lists of fragments (words, punctuation, other scripts, emoji, broken spacing, special tokens), so that
thousands of them take little room; the ids of each are kept as a 64-bit FNV-1a hash over their count and the ids.
Vocabularies: tokens_spiece.model, trained here on made-up sentences with the settings of T5's, and that of models/mini,
where it is there.
"""
import hashlib
import io
import os
import pathlib
import random
import re

import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import T5Tokenizer

from make_t5 import MOODS, ODD, PLACES, STYLES, WITH

HERE = pathlib.Path(__file__).resolve().parent
MINI = HERE.parent.parent / "models" / "mini" / "spiece.model"
COUNT = 5000

SENTENCES = """
Une valse lente pour piano et accordéon, très douce, enregistrée à l'église
Ein schneller Walzer für Geige, Flöte und Kontrabaß; größer und wärmer als sonst
Música española con guitarra flamenca, palmas y cajón, ¡más rápido!
Sångare och nyckelharpa på en skånsk höstäng, långsamt och vemodigt
Żywa muzyka ludowa z Podhala, skrzypce i basy, głośno
Türkçe hüzünlü şarkı, bağlama ve ney ile, ağır tempo
медленная русская песня с балалайкой и гармонью, тихо и грустно
αργό ρεμπέτικο με μπουζούκι και κιθάρα, χαμηλή φωνή
שיר עם שקט עם כינור וקלרינט
موسيقى عود هادئة مع إيقاع بطيء
धीमा राग सितार और तबला के साथ
เพลงช้า ขิมและขลุ่ย
静かな琴と尺八の音楽、ゆっくりと
慢速 古筝 与 笛子 的 安静 音乐
느린 가야금 산조, 조용하게
lo-fi hip-hop beat (85 bpm) with vinyl noise & a "dusty" Rhodes piano
8-bit chiptune / arcade music; 140bpm, C# minor, 4x4 kick + snare on 2 & 4
R&B groove -- 70's style, wah-wah guitar, Hammond B3 organ, horns!
""".strip().split("\n")

EMOJI = ["🎵", "🎶", "🎸", "🥁", "🎹", "🎷🎺", "👍🏽", "👨‍👩‍👧", "🇩🇪", "❤️", "☃", "☂☁", "✨", "🫶", "🏳️‍🌈", "1️⃣"]
MARKS = [" ", "  ", "   ", ", ", ". ", "; ", ": ", "! ", "? ", " - ", " — ", "…", "\t", "\n", "\r\n", "'", "\"", "(", ")", "/", "&",
         "\u00a0", "\u2009", "\u3000", "\u200b", "\u00ad", "\ufeff", "▁", "\u0301", "\u0300\u0323", "\u202e"]
SPECIAL = ["</s>", "<pad>", "<unk>", "<extra_id_0>", "<extra_id_7>", "<extra_id_99>", "<extra_id_100>", "<extra_id_07>", "<s>", "<",
           ">", "</", "<extra_id_"]
LETTERS = [chr(c) for c in range(33, 127)] + list("äöüßéèêçñøåœæłżőşğıİ½²³①ﬁ㍿ﾊｶＡｂ日本中文音乐한국я́щџαϊבגابเด\U0001d52b")


def fragments():
    words = sorted({w for s in SENTENCES + MOODS + STYLES + WITH + PLACES for w in s.split()})
    pieces = words + [w.upper() for w in MOODS] + [w.capitalize() for w in MOODS] + STYLES + WITH + PLACES + SENTENCES
    pieces += [p for p in ODD if "\u0085" not in p] + EMOJI + MARKS + SPECIAL + LETTERS + [str(n) for n in range(40, 200, 7)]
    return list(dict.fromkeys(p for p in pieces if p and "\0" not in p))


def prompts(table):
    """Lists of indices into the table."""
    rng = random.Random(7)
    at = {p: i for i, p in enumerate(table)}
    groups = [[at[p] for p in g if p in at] for g in
              (MOODS + STYLES + WITH + PLACES, [w for s in SENTENCES for w in s.split()], SENTENCES, ODD, EMOJI, MARKS, SPECIAL, LETTERS)]
    weights = [30, 25, 6, 6, 5, 12, 2, 8]
    space = at[" "]
    out = [[]] + [[i] for i in range(len(table))]
    while len(out) < COUNT - 6:
        prompt = []
        for _ in range(rng.randrange(2, 10)):
            prompt.append(rng.choice(rng.choices(groups, weights)[0]))
            if rng.random() < 0.75:
                prompt.append(space)
        out.append(prompt)
    for n in range(6):  # 10,000 characters and more: captions; every script; only letters
        prompt, length = [], 0
        while length < 10000:
            group = groups[0] if n < 2 else groups[1] if n < 4 else groups[7]
            prompt += [rng.choice(group)] + [space] * (n < 5)
            length = sum(len(table[i]) for i in prompt) if len(prompt) % 50 == 0 else length
        assert len("".join(table[i] for i in prompt)) >= 10000
        out.append(prompt)
    return out


def train_vocabulary():
    rng = random.Random(11)
    lines = list(SENTENCES) * 30
    for _ in range(4000):
        lines.append(f"{rng.choice(MOODS)} {rng.choice(STYLES)} with {rng.choice(WITH)} and {rng.choice(WITH)} {rng.choice(PLACES)}")
        lines.append(" ".join(rng.choice(rng.choice(SENTENCES).split()) for _ in range(8)))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=450, model_type="unigram", pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, normalization_rule_name="nmt_nfkc", character_coverage=0.9995, byte_fallback=False, num_threads=1,
        minloglevel=2)
    path = HERE / "tokens_spiece.model"
    path.write_bytes(model.getvalue())
    return path


def slow_ids(model, text, extra):
    """What the SentencePiece library gives, cut at special tokens: what models were trained with. transformers' own
    normalisation differs from it in U+0085 (kept out of the prompts) and in rare stacks of combining marks."""
    pattern = r"(<pad>|</s>|<unk>" + (r"|<extra_id_(?:0|[1-9][0-9]?)>)" if extra else ")")
    ids = []
    for n, part in enumerate(re.split(pattern, text)):
        if n % 2 == 0:
            ids += model.encode(part) if part else []
        elif part in ("<pad>", "</s>", "<unk>"):
            ids.append(["<pad>", "</s>", "<unk>"].index(part))
        else:
            ids.append(model.get_piece_size() + 99 - int(part[10:-1]))
    return ids + [1]


def hash_ids(ids):
    value = 0xCBF29CE484222325
    for number in [len(ids), *ids]:
        for byte in number.to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def hashes(path, extra, texts):
    fast = T5Tokenizer.from_pretrained(str(path.parent), vocab_file=str(path), extra_ids=extra, local_files_only=True)
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    out, differing, total, unknown = [], [], 0, 0
    for text in texts:
        ids, slow = fast(text).input_ids, slow_ids(model, text, extra)
        if ids != slow:
            differing.append(text)
            # The same text cut elsewhere is a tie of two segmentations, which is transformers' to decide.
            if "".join(fast.tokenize(text)) == "".join(model.encode(text, out_type=str)):
                slow = ids
        total += len(slow)
        unknown += slow.count(2)
        out.append(hash_ids(slow))
    print(f"{path.name}: {model.get_piece_size()} pieces, {len(texts)} prompts, {total} ids, {unknown} unknown, "
          f"{len(differing)} on which transformers and the SentencePiece library differ")
    for text in differing[:10]:
        print("   ", ascii(text[:100]))
    return torch.frombuffer(bytearray(b"".join(h.to_bytes(8, "little") for h in out)), dtype=torch.uint8).reshape(-1, 8)


def pack(rows):
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.uint8), torch.tensor(offsets, dtype=torch.int32)


def main():
    table = fragments()
    lists = prompts(table)
    assert len(table) < 65536 and len(lists) == COUNT
    texts = ["".join(table[i] for i in prompt) for prompt in lists]
    assert len(set(texts)) > 0.95 * COUNT, len(set(texts))
    data, offsets = pack([t.encode() for t in table])
    prompt, prompt_offsets = pack([b"".join(i.to_bytes(2, "little") for i in p) for p in lists])
    tensors = {"fragments": data, "fragment_offsets": offsets, "prompts": prompt, "prompt_offsets": prompt_offsets,
               "small": hashes(train_vocabulary(), 100, texts)}
    if MINI.exists():
        tensors["mini"] = hashes(MINI, 0, texts)
        digest = hashlib.sha256(MINI.read_bytes()).digest()
        tensors["mini_sha256"] = torch.frombuffer(bytearray(digest), dtype=torch.uint8)
    save_file(tensors, str(HERE / "tokens.safetensors"))
    print({k: tuple(v.shape) for k, v in tensors.items()}, os.path.getsize(HERE / "tokens.safetensors"), "bytes")


if __name__ == "__main__":
    main()
