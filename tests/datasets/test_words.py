"""TextGrids as Praat and aligners write them: formats, encodings, tiers, and marks that are no words."""

import pytest
from naturalistic.datasets.words import is_mark, is_named_mark, read_textgrid, without_marks

HEAD = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = {end} \ntiers? <exists> \n'
MARKS = ["<eps>", "spn", "<unk>", "{LG}", "{NS}", "<sil>", "sp", "sil", "", "[noise]", "<laugh>", "{BR}", "SPN", "<p:>"]
MARKS += ["#", "...", "[ Door slams ]", "sentence_start", "<LAUGH-yes>"]


def tier(name, words, kind="IntervalTier", colon=":"):
    field = {"IntervalTier": "intervals", "TextTier": "points"}[kind]
    lines = [
        f'class = "{kind}"',
        f'name = "{name}"',
        "xmin = 0",
        f"xmax = {len(words)}",
        f"{field}: size = {len(words)}",
    ]
    for k, word in enumerate(words):
        lines.append(f"{field} [{k + 1}]{colon}")
        lines += [f"xmin = {k}", f"xmax = {k + 1}.0"] if kind == "IntervalTier" else [f"number = {k}.5"]
        lines.append(f'{"text" if kind == "IntervalTier" else "mark"} = "{word}"')
    return "".join(f"        {line} \n" for line in lines)


def long_grid(*tiers, end=9):
    items = "".join(f"    item [{k}]:\n{text}" for k, text in enumerate(tiers, 1))
    return HEAD.format(end=end) + f"size = {len(tiers)} \nitem []: \n{items}"


def short_grid(words, name="words"):
    rows = "".join(f'{k}\n{k + 1}\n"{word}"\n' for k, word in enumerate(words))
    head = 'File type = "ooTextFile"\n"TextGrid"\n\n0\n9\n<exists>\n1\n"IntervalTier"\n'
    return f'{head}"{name}"\n0\n9\n{len(words)}\n{rows}'


def grid_file(folder, text, encoding="utf-8"):
    path = folder / "a.TextGrid"
    path.write_bytes(text.encode(encoding))
    return path


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "latin-1"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("make", [short_grid, lambda words: long_grid(tier("words", words))], ids=["short", "long"])
def test_what_praat_writes(tmp_path, make, encoding):
    words = ["näh", "", 'say ""so""', "5", "intervals [3]: 7 8", "two\nlines"]
    found = read_textgrid(grid_file(tmp_path, make(words), encoding))
    assert found.words == ["näh", 'say "so"', "5", "intervals [3]: 7 8", "two\nlines"] and found.missing == 0
    assert found.onsets.tolist() == [0, 2, 3, 4, 5] and found.offsets.tolist() == [1, 3, 4, 5, 6] and found.end == 6


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_writers(tmp_path, end):
    text = long_grid(tier("words", ["near", "by"], colon="")).replace("\n", end)
    assert read_textgrid(grid_file(tmp_path, text)).words == ["near", "by"]


def test_marks_are_no_words_and_are_counted(tmp_path):
    found = read_textgrid(
        grid_file(tmp_path, long_grid(tier("words", [*MARKS, "Alice", "spn", "was", "n't", "I", "3"])))
    )
    assert found.words == ["Alice", "was", "n't", "I", "3"] and found.onsets[0] == len(MARKS)
    assert found.left_out == {**dict.fromkeys(MARKS, 1), "spn": 2}
    assert found.n_noises == len(MARKS) + 1 - len(["<eps>", "<sil>", "sp", "sil", "", "<p:>"])


@pytest.mark.parametrize("word", ["Alice", "noise", "laugh", "a", "'s", "5", "span", "sp1", "(uh)", "x<y", "no>", "雨"])
def test_words_stay(word):
    assert not is_mark(word) and not is_named_mark(word) and without_marks(word) == word


def test_running_text_loses_bracketed_names_of_marks_alone():
    assert without_marks("[laughs] The sp is <unk> {LG}, he [the man] said").split() == (
        "The sp is , he [the man] said".split()
    )
    assert is_named_mark("<UNK>") and not is_named_mark("sp") and not is_named_mark("[the man]")


def test_the_tier_of_words_is_selected(tmp_path):
    phones, words = tier("phones", ["n", "I"]), tier("words", ["near", "spn"])
    points = tier("events", ["!", "7"], kind="TextTier")
    path = grid_file(tmp_path, long_grid(points, phones, words))
    assert read_textgrid(path).words == ["near"] and read_textgrid(path, tier="phones").words == ["n", "I"]
    with pytest.raises(ValueError, match=r"several interval tiers \('phones', 'words'\), expected one called 'events'"):
        read_textgrid(path, tier="events")
    path = grid_file(tmp_path, long_grid(tier("Ann - phones", ["n"]), tier("Ann - words", ["near"])))
    assert read_textgrid(path).words == ["near"]


CHOICES = {
    "two": (long_grid(tier("words", ["a"]), tier("Ben - words", ["b"])), "several interval tiers .*name it, tier=NAME"),
    "unnamed": (long_grid(tier("", ["a"]), tier("", ["b"])), "several interval tiers"),
    "phones alone": (long_grid(tier("phones", ["a"])), r"one interval tier \('phones'\), expected one of words"),
    "points alone": (long_grid(tier("words", ["a"], kind="TextTier")), r"no interval tier \(none\)"),
    "no tier": (HEAD.format(end=1).replace("exists", "absent"), "without tiers"),
    "a table": ("onset\tduration\n0\t1\n", "is not a TextGrid in one of Praat's text formats"),
    "binary": ("ooBinaryFile\x08TextGrid\0\0", "in Praat's binary format"),
    "more than announced": (
        long_grid(tier("words", ["a", "b"]).replace("size = 2", "size = 1")), "holds more than it announces"
    ),
    "a decimal comma": (
        long_grid(tier("words", ["a", "b"]).replace("xmax = 1.0", "xmax = 1,0")),
        "tier 'words', number 1: expected a number, found 'a'",
    ),
    "overlap": (
        long_grid(tier("words", ["a", "b"]).replace("xmax = 1.0", "xmax = 1.5")),
        r"interval 2 of tier 'words' begins at 1 s, before interval 1 ends \(1.5 s\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, message", CHOICES.values(), ids=CHOICES)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_textgrid(grid_file(tmp_path, text))
    assert "a.TextGrid" in str(error.value)


@pytest.mark.parametrize("make", [short_grid, lambda words: long_grid(tier("words", words))], ids=["short", "long"])
def test_wherever_a_file_is_cut(tmp_path, make):
    """Each byte: whole intervals are kept, none is invented, and what is missing is counted."""
    text = make(["near", "5", "by"])
    begin = text.index('"near"') + len('"near"')
    for stop in range(begin, len(text.rstrip())):
        path = grid_file(tmp_path, text[:stop])
        with pytest.raises(ValueError, match="is cut: it announces 3 intervals"):
            read_textgrid(path)
        found = read_textgrid(path, allow_cut=True)
        assert found.words == ["near", "5", "by"][: len(found.words)] and len(found.words) + found.missing == 3
