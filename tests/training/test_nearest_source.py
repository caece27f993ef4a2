"""The nearest of training's sources, against all distances."""

import numpy as np

from cnntool.training.edit_distance import CANDIDATES, NearestSource, edits


def _words(count, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abcdef"), rng.integers(0, 8))) for _ in range(count)]


def test_of_few_sources_the_nearest_is_found_the_first_of_several():
    sources = _words(CANDIDATES, 0)
    fitted = NearestSource.fit(sources, sources)
    for word in _words(40, 1):
        assert fitted.answers([word]) == [
            min(sources, key=lambda s: edits([word], [s]).distances[0])
        ]


def test_of_many_sources_one_as_near_is_nearly_always_found():
    sources, words = _words(500, 0), _words(100, 1)
    every = edits([word for word in words for _ in sources], sources * len(words)).distances
    found = edits(words, NearestSource.fit(sources, sources).answers(words)).distances
    assert np.mean(found == every.reshape(len(words), -1).min(axis=1)) > 0.95


def test_a_source_of_training_is_its_own_nearest():
    sources = sorted({word for word in _words(1000, 0) if word})
    answers = NearestSource.fit(sources, [word.upper() for word in sources]).answers(sources)
    assert answers == [word.upper() for word in sources]


def test_sources_may_be_lists_of_words():
    sources = [["the", "cat"], ["a", "dog", "barks"]]
    fitted = NearestSource.fit(sources, ["die Katze", "ein Hund bellt"])
    assert fitted.answers([["the", "dog", "barks"], ["cat"]]) == ["ein Hund bellt", "die Katze"]
    assert fitted.answers([]) == []


def test_what_shares_nothing_has_an_answer_too():
    sources = _words(100, 0)
    assert NearestSource.fit(sources, sources).answers(["", "zzz"])[1] in sources
