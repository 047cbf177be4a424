# SPDX-License-Identifier: MIT
"""Captions from metadata: "slow jazz swing with piano, bass and drums in D minor".

Pure Python: imports nothing but this package's General MIDI table, so that training code can
use it without the renderer. A caption names only instruments of `stems`, the set of stems that
sound in the excerpt; with `span` it also leaves out programs that rest during the excerpt.
"""

import re

from . import gm

# Style phrase of a library file where splitting its name would not do. A phrase names no
# instrument: which ones sound differs from excerpt to excerpt.
STYLE_PHRASES = {
    "50srock": "fifties rock and roll", "60srock": "sixties rock", "68march": "6/8 march",
    "68swing": "6/8 swing", "8beat": "eight-beat pop", "afro-cuban": "afro-cuban",
    "arpeggio44": "arpeggio ballad", "arpeggio68": "6/8 arpeggio ballad",
    "arpeggiowaltz": "arpeggio waltz", "ballad128": "12/8 ballad", "ballad68": "6/8 ballad",
    "basicrock": "basic rock", "bigband": "big band swing", "bluefolk": "blue folk",
    "blues128": "12/8 blues", "blues68": "6/8 blues", "boggiewoggie": "boogie-woogie",
    "boneym": "seventies disco pop", "bossanova": "bossa nova", "broadway": "broadway tune",
    "broadwaywaltz": "broadway waltz", "bubblerock": "bubblegum rock", "bvfunk": "funk",
    "bwmarch": "broadway march", "chacha": "cha-cha", "countryblues": "country blues",
    "countryswing": "country swing", "countrywaltz": "country waltz",
    "cubanguitar": "cuban music", "descendingjazz": "jazz", "desert": "mysterious eastern jazz",
    "dixie": "dixieland jazz", "dixiemarch": "dixieland march", "dsoul": "soul",
    "easyswing": "easy swing", "evansish": "cool jazz", "fastblues": "fast blues",
    "fastjazzwaltz": "fast jazz waltz", "fastswing": "fast swing", "fastwaltz": "fast waltz",
    "folk": "folk", "folkballad": "folk ballad", "folkrock": "folk rock",
    "folkyjazz": "folk jazz", "frenchwaltz": "french waltz", "guitarballad": "ballad",
    "gypsyjazz": "gypsy jazz", "hillcountry": "hill country", "jazz-54": "5/4 jazz",
    "jazzcombo": "jazz combo", "jazzguitar": "jazz", "jazzrhumba": "jazz rumba",
    "jazzrock": "jazz rock", "jazzwaltz": "jazz waltz", "latinwaltz": "latin waltz",
    "lfusion": "latin fusion", "lighttango": "light tango", "mellowjazz": "mellow jazz",
    "modernjazz": "modern jazz", "modernjazzwaltz": "modern jazz waltz",
    "nitejazz": "late-night jazz", "pianoballad": "ballad", "popballad": "pop ballad",
    "popspiritual": "pop spiritual", "rb-ballad": "r&b ballad", "rb": "r&b", "rhumba": "rumba",
    "rock-128": "12/8 rock", "rockballad": "rock ballad", "rockwaltz": "rock waltz",
    "showtune": "show tune", "shuffleboggie": "shuffle boogie", "slowblues": "slow blues",
    "slowbolero": "slow bolero", "slowbroadway": "slow broadway tune",
    "slowcountry": "slow country", "slowjazz": "slow jazz", "slowspiritual": "slow spiritual",
    "softrock": "soft rock", "softshoe": "soft-shoe", "son": "cuban son",
    "stringballad": "ballad", "vienesewaltz": "viennese waltz",
    "westernswing": "western swing",
}

# Broader words that may replace the style phrase: (pattern over the phrase, genre).
GENRES = tuple((re.compile(p), g) for p, g in (
    ("jazz|swing|bebop|big band|foxtrot|charleston|quickstep|strut|soft-shoe|ragtime|jive", "jazz"),
    ("waltz", "waltz"), ("blues|boogie|zydeco", "blues"),
    ("country|western|hill|bluegrass", "country"),
    ("rock|twist", "rock"), ("folk|polka", "folk"), ("march", "march"),
    ("ska|calypso", "caribbean"),
    ("bossa|samba|salsa|mambo|merengue|rumba|cuban|latin|cha-cha|beguine|bolero|tango", "latin"),
    ("funk|soul|r&b", "soul"), ("trance|disco", "dance"),
    ("ballad|lullaby|spiritual|hymn", "ballad"), ("pop", "pop")))

# Dances that the library writes in four though they are felt in two.
DOUBLED = re.compile("march|polka|charleston|quickstep|samba|merengue|ragtime")
SPEED = re.compile(r"\b(slow|fast)\b")
SLOW, FAST = 84, 126        # felt bpm: below is slow, above is fast
TEMPO_WORDS = {"slow": ("slow", "slow", "calm", "relaxed"), "mid-tempo": ("mid-tempo", "medium"),
               "fast": ("fast", "fast", "lively", "up-tempo")}

ORDER = ("piano", "guitar", "other", "bass", "drums")
NAMES_OF_OTHER = 2
EXACT_NAME = 0.5            # chance that an instrument goes by its program and not its stem


def style_phrase(meta):
    """Readable style of a piece, from its family's file name."""
    name = meta["family"].rpartition("/")[2]
    return STYLE_PHRASES.get(name) or re.sub(r"[-_.]+", " ", re.sub(r"\d+$", "", name)).strip()


def genre(phrase):
    """Broad genre word of a style phrase, or the phrase itself."""
    return next((g for pattern, g in GENRES if pattern.search(phrase)), phrase)


def tempo_word(meta):
    """"slow", "mid-tempo" or "fast", by the felt tempo."""
    bpm = meta["bpm"]
    if meta["metre"] == "6/8" and meta["beats"] == 6:
        bpm /= 2
    elif meta["beats"] == 4 and DOUBLED.search(style_phrase(meta)):
        bpm /= 2
    return "slow" if bpm < SLOW else "fast" if bpm > FAST else "mid-tempo"


def key_phrase(meta):
    return "in %s %s" % (meta["key"], meta["mode"])


def _overlaps(bars, digits, span):
    """True when a bar marked "1" overlaps the seconds (start, end)."""
    ends = list(bars[1:]) + [float("inf")]
    return any(d == "1" and a < span[1] and b > span[0] for d, a, b in zip(digits, bars, ends))


def program_names(meta, stem, span=None):
    """Distinct program names of a stem, busiest first; `span` is (start, end) in seconds."""
    names = []
    for entry in meta["programs"].get(stem, ()):
        if span is None or _overlaps(meta["bars"], entry["bars"], span):
            if entry["name"] not in names:
                names.append(entry["name"])
    return names


def instruments(meta, stems, rng=None, span=None, unnamed=()):
    """List of instrument words for the sounding `stems`, without those in `unnamed`.

    Without `rng` every instrument goes by its exact name, in a fixed order.
    """
    words = []
    for stem in ORDER:
        if stem not in stems or stem in unnamed:
            continue
        names = program_names(meta, stem, span) or program_names(meta, stem)
        exact = rng is None or rng.random() < EXACT_NAME
        if stem == "drums":
            words.append("drums")
        elif stem == "other":
            words += names[:NAMES_OF_OTHER]
        elif exact and names:
            words.append(names[0])
        else:
            words.append(stem)
    return words


def join(words):
    """"a, b and c"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def full_caption(meta, stems, span=None, unnamed=()):
    """Everything that is known, in a fixed form, without chance."""
    style = style_phrase(meta)
    tempo = tempo_word(meta)
    text = style if SPEED.search(style) else "%s %s" % (tempo, style)
    words = instruments(meta, stems, None, span, unnamed)
    if words:
        text += " with " + join(words)
    return "%s %s, %d bpm" % (text, key_phrase(meta), meta["bpm"])


def caption(meta, stems, rng, span=None, unnamed=()):
    """One random caption.

    meta     contents of a piece's meta.json
    stems    stems that sound in the excerpt, any collection of names from gm.STEMS
    rng      random.Random
    span     (start, end) of the excerpt in seconds, or None for the whole piece
    unnamed  stems that must not be named although they sound
    """
    parts = fields(meta, stems, rng, span, unnamed)
    template = rng.choices((_sentence, _featuring, _list, _plain), (4, 2, 3, 1))[0]
    return template(parts, rng)


def fields(meta, stems, rng, span, unnamed):
    """Dict of the parts of a caption after dropout; absent parts are empty."""
    style = style_phrase(meta) if rng.random() < 0.8 else genre(style_phrase(meta))
    if rng.random() < 0.1:
        style = ""
    tempo = rng.choice(TEMPO_WORDS[tempo_word(meta)]) if rng.random() < 0.6 else ""
    if SPEED.search(style):
        tempo = ""
    words = instruments(meta, stems, rng, span, unnamed)
    if rng.random() < 0.5:
        rng.shuffle(words)
    if words and rng.random() < 0.12:
        words = []
    elif len(words) > 2 and rng.random() < 0.2:
        words.remove(rng.choice(words))
    key = "%s %s" % (meta["key"], meta["mode"]) if rng.random() < 0.35 else ""
    if rng.random() < 0.1:
        key = meta["mode"] + " key"
    bpm = "%d bpm" % meta["bpm"] if rng.random() < 0.2 else ""
    metre = meta["metre"] if meta["metre"] != "4/4" and rng.random() < 0.3 else ""
    if metre in style:
        metre = ""
    if not (style or words):
        style = genre(style_phrase(meta))
    return {"style": style, "tempo": tempo, "words": words, "key": key, "bpm": bpm, "metre": metre}


def _head(f, noun):
    """Tempo, metre and style as one noun phrase; `noun` where there is no style."""
    return " ".join(w for w in (f["tempo"], f["metre"], f["style"] or noun) if w)


def _tail(f):
    """Key and bpm at the end of a sentence."""
    text = ""
    if f["key"]:
        text += " in " + ("a " if f["key"].endswith("key") else "") + f["key"]
    return text + (", " + f["bpm"] if f["bpm"] else "")


def _sentence(f, rng):
    link = rng.choice((" with ", " with ", " played by ", " for "))
    return _head(f, "music") + (link + join(f["words"]) if f["words"] else "") + _tail(f)


def _featuring(f, rng):
    head = _head(f, "")
    head = "%s %s" % (head, rng.choice(("piece", "song", "track", "tune"))) if head else "a piece"
    if not head.startswith("a ") and rng.random() < 0.5:
        head = ("an " if head[0] in "aeiou" else "a ") + head
    link = rng.choice((" featuring ", " with "))
    return head + (link + join(f["words"]) if f["words"] else "") + _tail(f)


def _list(f, rng):
    """Comma-separated, in any order."""
    parts = [_head(dict(f, tempo=""), "")] if f["style"] else []
    parts += [join(f["words"])] if f["words"] and rng.random() < 0.5 else list(f["words"])
    parts += [f[k] for k in ("tempo", "key", "bpm") if f[k]]
    if rng.random() < 0.6:
        rng.shuffle(parts)
    return ", ".join(parts)


def _plain(f, rng):
    """Only the instruments, or only the style."""
    if f["words"] and (not f["style"] or rng.random() < 0.6):
        return join(f["words"])
    return _head(f, "music")
