"""The types that several commands share."""

import pytest

TRAIN = ["train-cnn", "digits"]


@pytest.mark.parametrize(
    ("arguments", "parameter", "expected"),
    [
        (["predict", "m.npz", ""], "'IMAGE...'", "an image, a folder (-r) or -"),
        (["predict", "", "grey.png"], "'MODEL'", "a model file"),
        (["evaluate", "", "digits"], "'MODEL'", "a model file"),
        (["evaluate", "m.npz", ""], "'DATA'", "a data set or a text"),
        (["evaluate", "m.npz", "digits", "--mistakes", ""], "'--mistakes'", "a picture"),
        (["train-cnn", ""], "'DATA'", "a data set, such as digits"),
        ([*TRAIN, "--valid", ""], "'--valid'", "a data set of the same classes"),
        ([*TRAIN, "--log", ""], "'--log'", "a log, such as run.jsonl"),
        ([*TRAIN, "-o", ""], "'-o' / '--output'", "a model file, such as model.npz"),
        (["train-cnn", "--resume", ""], "'--resume'", "the file of a run"),
        (["info", ""], "'MODEL|NAME|LAYERS'", "a model file, a network such as lenet"),
        (["convolve", "", "-k", "sobel"], "'IMAGE...'", "an image, a folder (-r) or -"),
        (["convolve1d", "", "-k", "box"], "'[FILE]'", "a signal or -"),
    ],
)
def test_an_empty_name_is_refused_with_what_should_stand_there(
    cnntool, arguments, parameter, expected
):
    done = cnntool(*arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, b"", 1)
    start = f"cnntool {arguments[0]}: Invalid value for {parameter}: the name is empty: name "
    assert done.err.startswith(start + expected)
