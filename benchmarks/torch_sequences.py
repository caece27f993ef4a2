"""The same networks of sequences in PyTorch, with the same weights, as its own users write them:
``torch.nn`` layers over (T, B, features), packed sequences where lengths differ.

``twin`` makes one of a network here; the tests compare what both learn, the benchmarks how fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cnntool.networks.joined import Joined
from cnntool.networks.layers.attend import Attend
from cnntool.networks.layers.convolutions import Convolution
from cnntool.networks.layers.core import Activation, Dense
from cnntool.networks.layers.embeddings import LETTERS, Embedding
from cnntool.networks.layers.layer import Layer
from cnntool.networks.layers.pools import SlidingPool
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.layers.steps import Each, Places, TimePool
from cnntool.networks.network import Network


def parameter(array: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.tensor(np.ascontiguousarray(array)))


class Cell(nn.Module):
    """A recurrence of one layer, in one direction or both."""

    def __init__(self, layer: Recurrent, params: dict[str, np.ndarray]) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[layer.cell]
        inputs, self.both = len(params["w_input"]), layer.both
        self.cell = kind(inputs, layer.units, bidirectional=layer.both)
        for end in ("", "_reverse") if layer.both else ("",):
            arrays = params["w_input" + end].T, params["w_hidden" + end].T, params["bias" + end]
            hidden_bias = params.get("hidden_bias" + end)
            for key, array in zip(("weight_ih", "weight_hh", "bias_ih"), arrays, strict=True):
                setattr(self.cell, f"{key}_l0{end}", parameter(array))
            own = parameter(np.zeros_like(arrays[2]) if hidden_bias is None else hidden_bias)
            own.requires_grad_(hidden_bias is not None)  # one bias here where two are of no use
            setattr(self.cell, f"bias_hh_l0{end}", own)

    def forward(self, x: Any, lengths: Any, state: Any = None) -> tuple[Any, Any]:
        """Steps (T, B, D), and the last state, (2, B, H) of both."""
        if lengths is None or bool((lengths == len(x)).all()):
            return self.cell(x, state)
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, state = self.cell(packed, state)
        return pad_packed_sequence(y, total_length=len(x))[0], state


def with_places(maps: Any) -> Any:
    """Maps (B, C, H, W) as steps (H*W, B, C + 2), of which the last two say where each is."""
    rows, columns = (torch.linspace(-1, 1, n, dtype=maps.dtype) for n in maps.shape[2:])
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    maps = torch.cat([maps, grid.expand(len(maps), -1, -1, -1)], 1)
    return maps.permute(2, 3, 0, 1).flatten(0, 1)


def side_by_side(state: Any) -> Any:
    """The last states (directions, B, H) as (B, directions H); the places of pictures alike."""
    return state.transpose(0, 1).flatten(1)


class Words(nn.Module):
    """Embeddings, beside them what an lstm over the letters came to."""

    def __init__(self, layer: Embedding, params: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.table = nn.Embedding(*params["weight"].shape, _weight=parameter(params["weight"]))
        self.letters = None
        if layer.letters:
            own = {k.removeprefix(LETTERS): v for k, v in params.items() if k.startswith(LETTERS)}
            self.letters = nn.Embedding(*own["weight"].shape, _weight=parameter(own["weight"]))
            self.reader = Cell(Recurrent("lstm", layer.letters[1], both=True), own)

    def forward(self, x: Any) -> Any:
        if self.letters is None:
            return self.table(x)
        ids, words, letters, lengths = x
        _, (last, _) = self.reader(self.letters(letters), lengths)
        return torch.cat([self.table(ids), side_by_side(last)[words]], dim=-1)


class Look(nn.Module):
    """Luong's general attention, or Bahdanau's additive, over all steps at once."""

    def __init__(self, layer: Attend, params: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.is_general = layer.score == "general"
        for name, array in params.items():
            setattr(self, name, parameter(array))

    def forward(self, h: Any, keys: Any, lengths: Any) -> Any:
        query, keys = h.transpose(0, 1), keys.transpose(0, 1)
        if self.is_general:
            scores = query @ (keys @ self.weight).transpose(1, 2)
        else:
            sums = (query @ self.w_query)[:, :, None] + (keys @ self.w_keys)[:, None]
            scores = torch.tanh(sums) @ self.v
        if lengths is not None:
            behind = torch.arange(keys.shape[1])[None] >= lengths[:, None]
            scores = scores.masked_fill(behind[:, None], -torch.inf)
        context = (scores.softmax(-1) @ keys).transpose(0, 1)
        return torch.tanh(torch.cat([context, h], dim=-1) @ self.w_output + self.bias)


def pooled(name: str, y: Any, state: Any, lengths: Any) -> Any:
    if name == "last":
        return side_by_side(state[0] if isinstance(state, tuple) else state)
    lengths = torch.full((y.shape[1],), len(y)) if lengths is None else lengths
    behind = (torch.arange(len(y))[:, None] >= lengths)[..., None]
    if name == "max-steps":
        return y.masked_fill(behind, -torch.inf).amax(0)
    return y.masked_fill(behind, 0).sum(0) / lengths[:, None]


def linear(weight: np.ndarray, bias: np.ndarray) -> nn.Module:
    found = nn.Linear(*weight.shape)
    found.weight, found.bias = parameter(weight.T), parameter(bias)
    return found


def plain(layer: Layer, params: dict[str, np.ndarray]) -> nn.Module:
    """A layer over samples or features."""
    if isinstance(layer, Convolution):
        filters, channels, *size = params["weight"].shape
        found = nn.Conv2d(channels, filters, size, padding=layer.window.padding)
        found.weight, found.bias = parameter(params["weight"]), parameter(params["bias"])
        return found
    if isinstance(layer, Dense):
        return linear(params["weight"], params["bias"])
    if isinstance(layer, SlidingPool):
        return nn.MaxPool2d(layer.size)
    assert isinstance(layer, Activation)
    return {"relu": nn.ReLU, "tanh": nn.Tanh}[layer.function]()


def given_maps(module: nn.Module, x: Any) -> Any:
    """What a layer makes of maps or features; of features alone where it has to flatten."""
    return module(x.flatten(1) if isinstance(module, nn.Linear) and x.ndim == 4 else x)


class Twin(nn.Module):
    """The layers of a network; of a joined one the decoder's recurrences begin where the encoder
    ended: with the last states of its last recurrence, else all it gives of a picture, through a
    layer where sizes differ."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.own, self.joint = network.layers, len(network.layers)
        if isinstance(network, Joined):
            self.joint = network.joint
        modules, self.starts = [], nn.ModuleDict()
        for index, (name, layer, _) in enumerate(network.each()):
            params = network.params_of(index)
            kind = {Embedding: Words, Recurrent: Cell, Attend: Look}.get(type(layer))
            if kind is not None:
                modules.append(kind(layer, params))
            elif isinstance(layer, TimePool | Places):
                modules.append(nn.Identity())
            else:
                modules.append(plain(layer.inner, params))
            if f"{name}.start.weight" in network.params:
                arrays = (network.params[f"{name}.start.{key}"] for key in ("weight", "bias"))
                self.starts[str(index)] = linear(*arrays)
        self.layers = nn.ModuleList(modules)

    def forward(self, x: Any, lengths: Any = None) -> Any:
        """As a network's: of tensors, or of a pair of them."""
        if self.joint == len(self.own):
            return self._through(range(self.joint), x, lengths, {})[0]
        y, begun = self.encoded(x.source, lengths)
        return self.decoded(x.given, x.lengths, begun, y, lengths)[0]

    def encoded(self, source: Any, lengths: Any) -> tuple[Any, dict[int, Any]]:
        """What the encoder gives, and what the decoder's recurrences begin with."""
        y, states = self._through(range(self.joint), source, lengths, {})
        state = states[max(states)] if states else None
        rest = range(self.joint, len(self.own))
        recurrences = [index for index in rest if isinstance(self.own[index], Recurrent)]
        return y, {index: self._begun(index, y, state) for index in recurrences}

    def decoded(
        self, given: Any, lengths: Any, begun: dict[int, Any], keys: Any, keys_lengths: Any
    ) -> tuple[Any, dict[int, Any]]:
        """The logits, and the states behind them."""
        rest = range(self.joint, len(self.own))
        return self._through(rest, given, lengths, begun, keys, keys_lengths)

    def _begun(self, index: int, y: Any, state: Any) -> Any:
        """What a recurrence of the decoder begins with."""
        is_lstm = self.own[index].cell == "lstm"
        if state is None:
            h, c = y if y.ndim == 2 else side_by_side(y), None
        else:
            h, c = (
                map(side_by_side, state)
                if isinstance(state, tuple)
                else (side_by_side(state), None)
            )
        if str(index) in self.starts:
            h, c = torch.tanh(self.starts[str(index)](h)), None
        if not is_lstm:
            return h[None]
        return h[None], (torch.zeros_like(h) if c is None else c)[None]

    def _through(
        self,
        indices: range,
        x: Any,
        lengths: Any,
        begun: dict[int, Any],
        keys: Any = None,
        keys_lengths: Any = None,
    ) -> tuple[Any, dict[int, Any]]:
        """What some layers make of x, and the last states of their recurrences."""
        states: dict[int, Any] = {}
        for index in indices:
            layer, module = self.own[index], self.layers[index]
            if isinstance(layer, Recurrent):
                x, states[index] = module(x, lengths, begun.get(index))
            elif isinstance(layer, TimePool):
                x = pooled(layer.name, x, states[max(states)], lengths)
            elif isinstance(layer, Attend):
                x = module(x, keys, keys_lengths)
            elif isinstance(layer, Places):
                x = with_places(x)
            elif isinstance(layer, Each):
                x = given_maps(module, x.flatten(0, 1)).unflatten(0, x.shape[:2])
            else:
                x = given_maps(module, x)
        return x, states


def tensors(x: Any, dtype: Any = torch.float32) -> Any:
    """Arrays, in tuples or not, as tensors: whole numbers as embeddings and losses take them, real
    ones of a dtype; None stays."""
    if isinstance(x, tuple):
        found = [tensors(each, dtype) for each in x]
        return type(x)(*found) if hasattr(x, "_fields") else tuple(found)
    if x is None:
        return None
    return torch.tensor(x).to({"b": torch.bool, "f": dtype}.get(x.dtype.kind, torch.int64))


def loss_of(model: nn.Module, x: Any, targets: Any, lengths: Any, counts: Any) -> Any:
    """The mean cross-entropy of the targets that count, all tensors."""
    logits = model(x, lengths)
    if counts is None:
        return nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())
    return nn.functional.cross_entropy(logits[counts], targets[counts])
