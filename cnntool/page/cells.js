// Recurrent cells over one sequence, as the engine computes them: gates side by side, in PyTorch's
// order; steps [T, D] with the time first.

const CELLS = {
  // z = x W + h U + b;  i, f, o = sigmoid;  g = tanh;  c = f c + i g;  h = o tanh(c)
  lstm: {
    gates: ['input', 'forget', 'new', 'output'],
    of: ['sigmoid', 'sigmoid', 'tanh', 'sigmoid'],
    step(parts, h, c) {
      const [i, f, g, o] = gatesOf(parts, this.of);
      const cell = c.map((before, u) => f[u] * before + i[u] * g[u]);
      return { gates: [i, f, g, o], c: cell, h: cell.map((value, u) => o[u] * Math.tanh(value)) };
    },
  },
  // r, u = sigmoid(x W + b + h U + c);  n = tanh(x W + b + r (h U + c));  h = (1 - u) n + u h
  gru: {
    gates: ['reset', 'update', 'new'],
    of: ['sigmoid', 'sigmoid', 'tanh'],
    step({ input, hidden }, h) {
      const size = h.length;
      const sigmoid = (gate) => h.map((_, k) =>
        ACTIVATIONS.sigmoid.of(input[gate * size + k] + hidden[gate * size + k]));
      const [r, u] = [sigmoid(0), sigmoid(1)];
      const n = h.map((_, k) => Math.tanh(input[2 * size + k] + r[k] * hidden[2 * size + k]));
      return { gates: [r, u, n], h: n.map((value, k) => value + u[k] * (h[k] - value)) };
    },
  },
  // h = tanh(x W + h U + b)
  rnn: {
    gates: [],
    of: ['tanh'],
    step: (parts) => ({ gates: [], h: gatesOf(parts, ['tanh'])[0] }),
  },
};

function gatesOf({ input, hidden }, functions) {
  const size = input.length / functions.length;
  return functions.map((name, gate) => Float64Array.from({ length: size }, (_, k) =>
    ACTIVATIONS[name].of(input[gate * size + k] + hidden[gate * size + k])));
}

// A row of weights (in, out) by a vector, on a bias.
function timesMatrix(vector, weight, bias) {
  const count = weight.shape[1];
  const sums = new Float64Array(count);
  if (bias) sums.set(bias.data);
  vector.forEach((value, i) => {
    if (value === 0) return;
    for (let o = 0; o < count; o++) sums[o] += value * weight.data[i * count + o];
  });
  return sums;
}

function stepAt(x, time) {
  const width = x.shape[1];
  return x.data.subarray(time * width, (time + 1) * width);
}

// The sums that go into the gates: those of the input with the bias, and those of the state.
function partsOf(arrays, end, x, h) {
  return {
    input: timesMatrix(x, arrays[`w_input${end}`], arrays[`bias${end}`]),
    hidden: timesMatrix(h, arrays[`w_hidden${end}`], arrays[`hidden_bias${end}`]),
  };
}

// One direction of a cell over all steps: { signals: by name [T, units], last: { h, c } }.
function runCell(layer, x, end, begun = {}) {
  const cell = CELLS[layer.cell];
  const steps = x.shape[0];
  const names = [...cell.gates, ...(layer.cell === 'lstm' ? ['c'] : []), 'h'];
  const signals = Object.fromEntries(names.map((name) => [name, zeros([steps, layer.units])]));
  let h = begun.h ?? new Float64Array(layer.units);
  let c = begun.c ?? new Float64Array(layer.units);
  const first = { h, c };
  for (let n = 0; n < steps; n++) {
    const time = end ? steps - 1 - n : n;
    const made = cell.step(partsOf(layer.arrays, end, stepAt(x, time), h), h, c);
    ({ h, c = c } = made);
    cell.gates.forEach((name, k) => signals[name].data.set(made.gates[k], time * layer.units));
    if (made.c) signals.c.data.set(made.c, time * layer.units);
    signals.h.data.set(h, time * layer.units);
  }
  return { signals, last: { h, c }, first };
}

// How one unit came to its state at a step: a row a gate, then what they make of it.
function cellStory(layer, x, run, end, time, unit) {
  const cell = CELLS[layer.cell];
  const before = end ? time + 1 : time - 1;
  const isFirst = before < 0 || before >= x.shape[0];
  const state = (name) => (isFirst ? run.first[name] : stepAt(run.signals[name], before));
  const { input, hidden } = partsOf(layer.arrays, end, stepAt(x, time), state('h'));
  const names = cell.gates.length ? cell.gates : ['h'];
  const rows = names.map((name, gate) => {
    const at = gate * layer.units + unit;
    return { name, of: cell.of[gate], input: input[at], hidden: hidden[at],
      value: stepAt(run.signals[name], time)[unit] };
  });
  const value = (name) => stepAt(run.signals[name], time)[unit];
  const h = value('h');
  if (layer.cell === 'lstm') {
    const [c0, i, f, g, o] = [state('c')[unit], ...cell.gates.map(value)];
    return { rows, steps: [
      [`c = forget ${number(f)} × c before ${factor(c0)} + input ${number(i)} × new ${factor(g)}`,
        f * c0 + i * g],
      [`h = output ${number(o)} × tanh(c)`, h]] };
  }
  if (layer.cell === 'gru') {
    const [h0, u, n] = [state('h')[unit], value('update'), value('new')];
    return { rows, steps: [
      [`h = (1 − update ${number(u)}) × new ${factor(n)} + update × h before ${factor(h0)}`, h]] };
  }
  return { rows, steps: [['h', h]] };
}
