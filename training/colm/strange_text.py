"""Seeded strings that try every corner of a byte-level tokenizer."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

_WORDS = (
    "the a of and to in I that was his it her had with as not for you at be is on she my all but we him which so from "
    "Mr. Heathcliff parsonage don't I'll they've we're he'd she's 'tis o'clock O'Brien can't DON'T I'M naïve café "
    "Straße Ångström façade coöperate résumé über El Niño"
).split()
_CODE = [
    "for (int i = 0; i < n; ++i) {\n    sum += a[i];\n}\n",
    "def f(x):\n\treturn x**2  # square\n",
    '{"key": [1, 2.5e-3, null], "s": "\\u00e9\\n"}',
    "let x = y ?? 0 // why\r\n",
    "<a href='#x'>&amp;</a>",
    "SELECT * FROM t WHERE a<>'b';--",
    "https://example.org/a_b?c=%20&d=1#e",
    "\\begin{eq} x_{i}^{2} \\end{eq}",
    "C:\\dir\\file.txt",
    "/usr/lib/x86_64/*.so.6",
]
_SPACES = list(" \t\n\r\v\f") + [
    chr(c) for c in (0x85, 0xA0, 0x1680, 0x2003, 0x2009, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
]
_NOT_QUITE_SPACES = [chr(c) for c in (0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x1C, 0x1D, 0x1E, 0x1F)]
_EMOJI = "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇫🇷🇯🇵 1️⃣ ❤️ 🧑‍💻 👨‍👩‍👦 😀 🤷🏻‍♀️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿".split(" ")
_SCRIPTS = [
    "吾輩は猫である。名前はまだ無い。",
    "我能吞下玻璃而不傷身體",
    "한국어 문장입니다 각",
    "مرحبا بالعالم ١٢٣",
    "שָׁלוֹם עוֹלָם",
    "Ελληνικά ΤΈΛΟΣ τέλος",
    "Привет, мир ёж",
    "नमस्ते दुनिया क्ष १२३",
    "ภาษาไทย สวัสดี",
    "தமிழ் மொழி",
    "ქართული ენა",
    "አማርኛ ፊደል",
    "İstanbul ığdır ǅ ﬁ ﬂ",
    "𝕳𝖊𝖑𝖑𝖔 𝟘𝟙𝟚 𐍈𐌰",
    "½ ² ³ Ⅷ ① ௧ ٣ ୪ 〇 〡",
    "€ ¥ © ® ™ ± × ÷ § ¶",
]
_COMBINING = [chr(c) for c in range(0x300, 0x370)] + [chr(c) for c in (0x20DD, 0xFE0F, 0x1F3FB, 0x05B8, 0x064B, 0x093C)]


def strange_strings(count: int, seed: int, special: list[str]) -> list[str]:
    """`count` strings: words, spaces, code, numbers, scripts, emoji, controls, all planes, `special` inside."""
    rng = random.Random(seed)
    fixed = ["", " ", "\n", "\0", "'", "''", "'s", " 's", "'S", "a'", "  a", "a  ", " \n ", "\r\n\r\n", *special]
    fixed += [chr(c) for c in range(256)] + [f"a{chr(c)}b" for c in range(128)] + [f" {space}x" for space in _SPACES]
    fixed += _CODE + _SCRIPTS + _EMOJI + _NOT_QUITE_SPACES
    makers: list[tuple[int, Callable[[random.Random], str]]] = [
        (30, _sentence),
        (6, _numbers),
        (8, _spaces),
        (6, lambda rng: rng.choice(_CODE)[rng.randrange(8) :]),
        (12, lambda rng: _slice(rng, rng.choice(_SCRIPTS))),
        (8, lambda rng: _slice(rng, "".join(rng.choices(_EMOJI, k=rng.randint(1, 3))))),
        (8, lambda rng: "".join(chr(rng.choice([rng.randrange(32), rng.randrange(127, 160)])) for _ in range(4))),
        (8, _combined),
        (8, lambda rng: "".join(_any_scalar(rng) for _ in range(rng.randint(1, 5)))),
        (6, lambda rng: "".join(rng.choice("'\"!?.,;:-_()[]{}<>@#$%^&*+=/\\|~`sdmtlrvSDMTe ") for _ in range(10))),
        (4, lambda rng: rng.choice(["a", " ", "é", "字", "!", "0", "\n", "'s"]) * rng.choice([2, 3, 5, 17, 64])),
        (8, lambda rng: rng.choice(special)),
        (4, lambda rng: _slice(rng, rng.choice(special))),
    ]
    weights = [weight for weight, _ in makers]
    strings = fixed[:count]
    while len(strings) < count:
        parts = rng.choices(makers, weights, k=rng.choice([1, 1, 2, 3]))
        strings.append(rng.choice(["", "", " ", "\n"]).join(make(rng) for _, make in parts))
    return strings


def _slice(rng: random.Random, text: str) -> str:
    start = rng.randrange(len(text))
    return text[start : start + rng.randint(1, 14)]


def _sentence(rng: random.Random) -> str:
    words = rng.choices(_WORDS, k=rng.randint(1, 9))
    return "".join(word + rng.choice([" ", " ", " ", ", ", ". ", "  ", "\n", "-", "--", "'"]) for word in words)


def _numbers(rng: random.Random) -> str:
    number = rng.choice(
        [str(rng.randrange(10 ** rng.randint(1, 12))), f"{rng.random():.7f}", f"{rng.randrange(1 << 32):x}"]
    )
    return rng.choice(["", " ", "$", "-", "No. "]) + number + rng.choice(["", "th", "%", ",000", ".5"])


def _spaces(rng: random.Random) -> str:
    kinds = rng.choice([" ", " \n", "\t ", _SPACES, _SPACES + _NOT_QUITE_SPACES])
    return (
        rng.choice(["", "x"]) + "".join(rng.choices(kinds, k=rng.randint(1, 6))) + rng.choice(["", "x", ".", "1", "'s"])
    )


def _combined(rng: random.Random) -> str:
    text = "".join(rng.choice("aeionAE ñ한क") + "".join(rng.choices(_COMBINING, k=rng.randint(0, 3))) for _ in range(4))
    return unicodedata.normalize(rng.choice(["NFC", "NFD", "NFKC", "NFKD"]), text)


def _any_scalar(rng: random.Random) -> str:
    """Any scalar value: the plane first, so that all 17 occur, then a code point that is not a surrogate."""
    while True:
        point = rng.choice(
            [rng.randrange(0x10000), rng.randrange(0x20000), rng.randrange(17) * 0x10000 + rng.randrange(0x10000)]
        )
        if not 0xD800 <= point < 0xE000:
            return chr(point)
