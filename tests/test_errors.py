import pickle

import pytest

from cnntool.errors import InputError, RequestError

ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("kind", [InputError, RequestError])
def test_an_error_is_one_line_whatever_the_name_in_it_holds(kind):
    error = kind(f"kernel file '-{ENDS}' does not exist")
    assert len(str(error).splitlines()) == 1
    assert r"'-\n\r" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
