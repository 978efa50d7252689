"""The tokenizer, token files and training windows."""

from __future__ import annotations

import gzip
import lzma

import numpy as np
import pytest
from tokenizers import Tokenizer

from colm.strange_text import strange_strings
from colm.text import read_text
from colm.tokenizer import END_OF_TEXT, train_tokenizer
from colm.tokenizer_fixtures import gpt2_style
from colm.tokens import Windows, encode_text, load_tokens

TEXT = "The cat sat on the mat.\n'Tis the cat's mat, isn't it?\n" * 40 + END_OF_TEXT + "\nMore: 1234 cats.\n" * 9


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Tokenizer:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT)
    return train_tokenizer([path], 320, 10_000)


def test_every_text_survives_a_round_trip(tokenizer):
    for text in strange_strings(1500, 3, [END_OF_TEXT]):
        ids = tokenizer.encode(text).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        assert all(token < tokenizer.get_vocab_size() for token in ids)


def test_special_token_is_one_id_and_never_learned_from_text(tokenizer):
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    assert tokenizer.encode(f"a{END_OF_TEXT}b").ids.count(0) == 1
    assert not any("endoftext" in token for token in tokenizer.get_vocab() if token != END_OF_TEXT)


def test_written_out_regex_splits_as_gpt2s_built_in_one(tokenizer):
    reference = gpt2_style(TEXT, 300)
    for text in strange_strings(1500, 4, ["x"]):
        pieces = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        assert pieces == [piece for piece, _ in reference.pre_tokenizer.pre_tokenize_str(text)]


def test_strange_strings_are_seeded_and_cover_all_planes():
    strings = strange_strings(10_000, 1, [END_OF_TEXT])
    assert strings == strange_strings(10_000, 1, [END_OF_TEXT])
    assert {ord(c) >> 16 for text in strings for c in text} == set(range(17))
    assert any(END_OF_TEXT in text and text != END_OF_TEXT for text in strings)


def test_text_by_documents_is_text_at_once(tokenizer):
    assert encode_text(TEXT, tokenizer).tolist() == tokenizer.encode(TEXT).ids


def test_compressed_text_reads_the_same(tmp_path):
    text = "é\r\nline\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(text.encode()))
    assert {read_text(path) for path in tmp_path.iterdir()} == {text}


def test_token_files_are_cached_by_text_and_tokenizer(tokenizer, tmp_path):
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_text("The cat")
    second.write_text(" sat.")
    expected = [*tokenizer.encode("The cat").ids, 0, *tokenizer.encode(" sat.").ids, 0]
    assert load_tokens([first, second], tokenizer, tmp_path / "cache").tolist() == expected
    (file,) = (tmp_path / "cache").iterdir()
    before = file.stat().st_mtime_ns
    assert load_tokens([first, second], tokenizer, tmp_path / "cache").tolist() == expected
    assert file.stat().st_mtime_ns == before
    second.write_text(" mat.")
    assert load_tokens([first, second], tokenizer, tmp_path / "cache").tolist() != expected


def test_windows_use_every_token_once_a_pass_and_depend_on_position_alone():
    tokens = np.arange(1000, dtype=np.uint16)
    windows = Windows(tokens, 10, seed=5)
    inputs, targets = windows.batch(0, windows.per_pass)
    assert (targets == inputs + 1).all()
    seen = sorted(inputs.flatten().tolist())
    assert len(set(seen)) == len(seen) == windows.per_pass * 10 >= 970
    again = Windows(tokens, 10, seed=5)
    assert (again.batch(7, 3)[0] == inputs[7:10]).all()
    second_pass = again.batch(windows.per_pass, windows.per_pass)[0]
    assert not (second_pass == inputs).all()
    assert not (Windows(tokens, 10, seed=6).batch(0, 5)[0] == inputs[:5]).all()
