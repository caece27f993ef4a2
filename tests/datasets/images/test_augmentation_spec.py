"""What may be typed for an augmentation, and the one line that answers each mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.images.augmentation import Augmentation, augmentation_spec, parse_augmentation
from cnntool.errors import RequestError


def test_every_change_is_read_in_any_order_and_spacing():
    assert parse_augmentation(
        " cutout=8, flip ,noise=0.05,shear=5,scale=1/10,rotate = 10,shift=2"
    ) == Augmentation(2, 10, 0.1, 5, 0.5, 0.05, 8)
    assert parse_augmentation("flip=0.2") == Augmentation(flip=0.2)
    assert parse_augmentation("none") == parse_augmentation("") == Augmentation()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("rotat=3", "augmentation has no parameter 'rotat': did you mean 'rotate'?"),
        ("zoom=3", "augmentation has no parameter 'zoom': it takes shift, rotate, scale"),
        ("shift", "'shift' in 'shift' is no setting: write 'shift=NUMBER', whole pixels from 0"),
        ("flip=", "'flip=' in 'flip=' is no setting: write 'flip=NUMBER', a probability from 0"),
        ("shift=1,,flip", "augmentation: 'shift=1,,flip' has an empty place: write it like "
         "'shift=2,rotate=10,flip'"),
        (",flip", "augmentation: ',flip' has an empty place: write it like 'shift=2,rotate=10,f"),
        ("2", "'2' in '2' is no setting: write it like 'shift=2,rotate=10,flip'"),
        ("shift=x", "augmentation: shift is 'x', but must be whole pixels from 0 to 10000: for"),
        ("shift=2,shift=3", "augmentation: shift is given twice in 'shift=2,shift=3': keep one"),
        ("shift=1.5", "augmentation: shift is 1.5, but must be whole pixels from 0 to 10000"),
        ("shift=-1", "augmentation: shift is -1, but must be whole pixels from 0 to 10000"),
        ("scale=1", "augmentation: scale is 1, but must be a fraction from 0 to 0.9"),
        ("flip=2", "augmentation: flip is 2, but must be a probability from 0 to 1"),
        ("rotate=ten", "augmentation: rotate, 'ten', is not a number: write 0.5"),
        ("noise=nan", "augmentation: noise is 'nan': it must be a finite number"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line_with_the_remedy(spec, message):
    with pytest.raises(RequestError) as raised:
        parse_augmentation(spec)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@given(st.text(alphabet="shiftroae=,.0123456789 -/", max_size=30))
def test_any_text_is_read_or_refused_in_one_line(spec):
    message = "no error"
    try:
        parse_augmentation(spec)
    except RequestError as error:
        message = str(error)
    assert len(message.splitlines()) == 1


def test_its_text_reads_back_the_same():
    for given_ in (Augmentation(2, 10, 0.1, 5, 0.5, 0.05, 8), Augmentation(flip=1 / 3)):
        assert parse_augmentation(augmentation_spec(given_)) == given_
    assert augmentation_spec(Augmentation()) == "none"
