"""Divergence, rates too high or low, too little training and too small a network are told apart."""

import pytest

from cnntool.training.advice import advice
from cnntool.training.settings import Settings


def rows(*losses, validation=None):
    pairs = zip(losses, validation or losses, strict=True)
    return [{"loss": loss, "validation_loss": judged} for loss, judged in pairs]


@pytest.mark.parametrize(
    ("rate", "history", "by_chance", "words"),
    [
        (0.002, rows(900.0, 460.0), False, "460 nats where guessing has 4.382"),
        (1.0, rows(900.0, 460.0), True, "try --learning-rate 0.002"),
        (0.002, rows(460.0), True, "try --learning-rate 0.0002"),
        (1.0, rows(5.0, 4.4, 4.4), True, "learned nothing, as steps are too large: try --learn"),
        (1e-6, rows(4.4, 4.39), True, "as steps are small: try --learning-rate 0.002"),
        (0.002, rows(4.4, 4.3), True, "needs more training: try --epochs 6"),
        (0.002, rows(3.0, 2.0, 1.4, 1.0), False, "needs more training: try --epochs 12"),
        (0.002, rows(2.0), False, "needs more training: try --epochs 3"),
        (0.002, rows(3.0, 2.0, 1.99, 1.98), False, "make it larger"),
        (0.002, rows(3.0, 1.0, 0.1, validation=(3.0, 1.5, 2.5)), False, "by heart"),
        (0.002, rows(3.0, 1.0, 0.1, validation=(1.5, 2.5, 2.9)), True, "by heart"),
    ],
)
def test_what_went_wrong_is_told_from_the_history(rate, history, by_chance, words):
    settings = Settings(optimizer="adam", learning_rate=rate)
    assert words in advice("rnn", settings, history, 80, by_chance)


def test_without_a_validation_part_the_loss_on_what_is_learned_from_counts():
    settings = Settings(optimizer="adamw", learning_rate=0.003)
    history = rows(0.9, 0.5, validation=(None, None))
    assert (
        advice("cnn", settings, history, 10, False)
        == "the network needs more training: try --epochs 6"
    )
    history = rows(90.0, 50.0, validation=(None, None))
    assert advice("cnn", settings, history, 10, True).endswith("try --learning-rate 0.0003")


def test_a_run_of_few_steps_needs_more_whatever_its_losses_say():
    settings, flat = Settings(), rows(1.0, 0.99, 0.99)
    assert advice("tagger", settings, flat, 9, False, steps=20).endswith("try --epochs 60")
    assert "larger" in advice("tagger", settings, flat, 9, False, steps=400)
    assert "larger" in advice("cnn", settings, flat, 9, False, steps=10)


def test_a_loss_that_has_risen_from_its_best_calls_for_no_more_steps():
    learned = rows(3.0, 1.0, 0.1, validation=(1.5, 2.5, 2.9))
    assert "by heart" in advice("translator", Settings(), learned, 80, True, steps=15)


def test_a_loss_that_falls_to_the_last_of_few_epochs_calls_for_the_usual_number():
    falling = rows(0.4857, 0.3874, 0.3529, validation=(0.3717, 0.3446, 0.3340))
    words = advice("classifier", Settings(), falling, 2, False, steps=226)
    assert words == "the network needs more training: try --epochs 12"
    many = rows(0.5, *[0.36 - n / 1000 for n in range(11)])
    assert "larger" in advice("classifier", Settings(), many, 2, False, steps=226)
