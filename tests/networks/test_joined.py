import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnntool.datasets.sequences.feeds import Pair
from cnntool.datasets.sequences.inputs import Spelled
from cnntool.errors import RequestError
from cnntool.networks.decoding import beams, greedy
from cnntool.networks.joined import Joined, attention_of, parse_network
from cnntool.networks.network import Network
from cnntool.networks.objective import loss_and_gradients, surprisals
from cnntool.networks.summary import multiply_adds, summarize

SPECS = {
    "same size": "embedding 7 x 3; lstm 4 => embedding 6 x 3; lstm 4; attend; dense 6",
    "both ways": "embedding 7 x 3; gru 2 both => embedding 6 x 3; gru 4; attend additive; dense 6",
    "bridged": "embedding 7 x 3; lstm 2 both => embedding 6 x 3; lstm 3; lstm 4; attend; dense 6",
    "no attention": "embedding 7 x 3; rnn 4; last => embedding 6 x 3; rnn 4; dense 6",
    "tied": "embedding 7 x 3; gru 3 => embedding 6 x 3; gru 3; attend; dense 6 tied",
}
END = 5


def network_of(spec: str, shape=(None,), seed: int = 0) -> Joined:
    network = parse_network(spec, shape).initialise(np.random.default_rng(seed))
    network.params = {path: array.astype(np.float64) for path, array in network.params.items()}
    for array in network.params.values():
        array += np.random.default_rng(1).normal(0, 0.3, array.shape)
    return network


def batch(shape=(None,), lengths=(4, 2, 5), said=(3, 4, 1)):
    """A pair of sources and texts, the targets, what of them counts, and the sources' lengths."""
    rng = np.random.default_rng(2)
    said = np.array(said)
    targets = rng.integers(0, END, (said.max(), len(said)))
    given = np.concatenate([np.full((1, len(said)), END), targets[:-1]])
    counts = np.arange(len(targets))[:, None] < said
    if shape == (None,):
        source, lengths = rng.integers(0, 7, (max(lengths), len(lengths))), np.array(lengths)
    else:
        source, lengths = rng.normal(size=(len(said), *shape)), None
    return Pair(source, given, said), targets, counts, lengths


def check_gradients(network: Network, x, targets, counts, lengths) -> None:
    grads = {path: np.zeros_like(array) for path, array in network.params.items()}

    def loss() -> float:
        return loss_and_gradients(
            network,
            x,
            targets,
            {p: g.copy() for p, g in grads.items()},
            lengths=lengths,
            counts=counts,
        ).loss

    loss_and_gradients(network, x, targets, grads, lengths=lengths, counts=counts)
    rng, step = np.random.default_rng(3), 1e-6
    for path, array in network.params.items():
        for place in rng.choice(array.size, min(6, array.size), replace=False):
            at = np.unravel_index(place, array.shape)
            kept = array[at]
            array[at] = kept + step
            above = loss()
            array[at] = kept - step
            below = loss()
            array[at] = kept
            assert_allclose((above - below) / (2 * step), grads[path][at], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_gradients_of_an_encoder_and_a_decoder_are_those_of_differences(spec):
    check_gradients(network_of(spec), *batch())


@pytest.mark.parametrize(
    "spec",
    [
        "conv 3 3x3; tanh; places => embedding 6 x 3; lstm 4; attend; dense 6",
        "conv 2 3x3; tanh; columns; gru 3 both => embedding 6 x 3; gru 4; attend; dense 6",
        "conv 2 3x3; tanh; dense 4 => embedding 6 x 3; gru 4; dense 6",
    ],
)
def test_gradients_of_a_captioner_are_those_of_differences(spec):
    check_gradients(network_of(spec, (1, 5, 6)), *batch((1, 5, 6)))


def test_gradients_of_letters_are_those_of_differences():
    network = Network(
        parse_network("embedding 5 x 3 letters 4 x 2; gru 3; dense 2", (None,)).layers, (None,)
    )
    network.initialise(np.random.default_rng(0))
    network.params = {path: a.astype(np.float64) * 3 for path, a in network.params.items()}
    ids, lengths = np.array([[0, 3], [4, 1], [0, 0]]), np.array([3, 2])
    words = np.array([[0, 2], [1, 0], [2, 0]])
    letters, spelled = np.array([[1, 0, 3], [2, 3, 0], [0, 1, 0]]), np.array([2, 3, 1])
    counts = np.arange(3)[:, None] < lengths
    x = Spelled(ids, words, letters, spelled)
    check_gradients(network, x, np.array([[0, 1], [1, 1], [0, 0]]), counts, lengths)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_rows_of_layers_sum_to_all_parameters(spec):
    network = network_of(spec)
    count = sum(array.size for array in network.params.values())
    cells = [line.split()[-1].replace(",", "") for line in str(network).splitlines()[1:]]
    assert sum(int(cell) for cell in cells if cell.isdigit()) == count
    assert sum(layer.parameters for layer in summarize(network)) == count


def test_what_makes_a_start_state_is_counted_with_its_recurrence():
    network = parse_network("embedding 7 x 3; lstm 2 => embedding 6 x 3; gru 5; dense 6", (None,))
    layer = summarize(network)[3]
    assert (layer.name, layer.parameters) == ("decoder.gru1", (3 + 5 + 2) * 15 + 2 * 5 + 5)
    assert layer.multiply_adds == (3 + 5) * 15 + 2 * 5
    assert layer.connections == (3 + 5 + 2) * 15 + 2 * 5 + 5
    assert multiply_adds(network) == (3 + 2) * 8 + layer.multiply_adds + 5 * 6


def test_what_prints_parses():
    for spec in SPECS.values():
        network = parse_network(spec, (None,))
        assert network.spec == spec
        assert set(network.initialise(np.random.default_rng(0)).params) == set(network.parameters())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("embedding 7 x 3; attend; dense 2", "put one before it, with =>"),
        (
            "embedding 7 x 3; last => embedding 6 x 3; gru 3; attend; dense 6",
            "encoder gives 3 features: end the encoder in places, columns or a recurrence",
        ),
        ("embedding 7 x 3 => embedding 6 x 3; gru 8 both; dense 6", "gru 8 both reads what has no"),
        ("embedding 7 x 3 => embedding 6 x 3; gru 8; last; dense 6", "last reads what has not"),
        ("embedding 7 x 3 => embedding 6 x 3; attend; dense 6", "the decoder has no recurrence"),
        ("embedding 7 x 3 => embedding 6 x 3 letters 4 x 2; gru 8; dense 6", "reads letters"),
        ("embedding 7 x 3 => embedding 6 x 3 => dense 6", "the layers have 2 '=>'"),
        ("embedding 7 x 3 =>", "nothing stands behind '=>': expected a decoder, such as 'embeddi"),
        ("embedding 7 x 3 => # none", "nothing stands behind '=>'"),
        (" => embedding 7 x 3; gru 3; dense 7", "nothing stands before '=>': expected an encoder"),
    ],
)
def test_what_does_not_join_is_one_line(spec, message):
    with pytest.raises(RequestError, match=message):
        parse_network(spec, (None,))


def test_the_likeliest_is_what_the_network_says_given_it():
    network = network_of(SPECS["both ways"])
    x, _, _, lengths = batch()
    for said, column in zip(greedy(network, x.source, lengths, END, 6), range(3), strict=True):
        ids = [*said.ids, END][: 6 if not said.has_ended else None]
        given = np.array([END, *ids[:-1]])[:, None]
        pair = Pair(x.source[:, [column]], given)
        logits, _ = network.forward(pair, lengths=lengths[[column]])
        assert_array_equal(logits[:, 0].argmax(axis=1), ids)
        losses, *_ = surprisals(network, pair, np.array(ids)[:, None], lengths=lengths[[column]])
        assert_allclose(said.log_odds, -losses[:, 0], rtol=1e-9)


def test_a_wide_beam_finds_the_best_of_all_texts():
    network = network_of(SPECS["bridged"], seed=3)
    x, _, _, lengths = batch()
    found = beams(network, x.source, lengths, END, 2, 40)
    for column, best in enumerate(found):
        texts = [[], *([a] for a in range(END)), *([a, b] for a in range(END) for b in range(END))]
        scores = []
        for text in texts:
            ids = [*text, END]
            pair = Pair(x.source[:, [column]], np.array([END, *ids[:-1]])[:, None])
            losses, *_ = surprisals(
                network, pair, np.array(ids)[:, None], lengths=lengths[[column]]
            )
            scores.append(-losses.mean())
        ended = [said for said in best if said.has_ended]
        assert ended[0].ids == tuple(texts[int(np.argmax(scores))])
        assert_allclose(ended[0].score, max(scores), rtol=1e-9)


def test_a_beam_of_one_is_greedy():
    network = network_of(SPECS["same size"])
    x, _, _, lengths = batch()
    alone = [each[0] for each in beams(network, x.source, lengths, END, 6, 1)]
    assert [said.ids for said in alone] == [
        said.ids for said in greedy(network, x.source, lengths, END, 6)
    ]


def test_attention_sums_to_one_and_looks_behind_no_end():
    network = network_of(SPECS["same size"])
    x, _, _, lengths = batch()
    odds = attention_of(network, x, lengths)
    assert_allclose(odds.sum(axis=-1), 1)
    for column, length in enumerate(lengths):
        assert not odds[column, :, length:].any()


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_reads_is_a_network_of_its_own(spec):
    network = network_of(spec)
    x, _, _, lengths = batch()
    encoder = network.encoder
    assert encoder.spec == spec.partition(" => ")[0]
    assert list(encoder.params) == list(encoder.parameters())
    y, _ = encoder.forward(x.source, lengths=lengths)
    assert_array_equal(y, network.encoded(x.source, lengths).y)
