// Networks over one sequence: tokens { ids, letters } or steps [T, D] come in.

const OVER_STEPS = {
  embedding(layer, x) {
    const { weight } = layer.arrays;
    const width = weight.shape[1];
    const rows = x.ids.map((id) => weight.data.subarray(id * width, (id + 1) * width));
    if (!layer.letters) return { y: stacked(rows) };
    const spelled = new Map();
    const own = { cell: 'lstm', units: layer.letters[1], arrays: lettersOf(layer.arrays) };
    for (const word of x.letters) {
      const key = word.join(' ');
      if (spelled.has(key)) continue;
      const table = own.arrays.weight;
      const steps = stacked(word.map((id) => stepAt(table, id)));
      spelled.set(key, ['', '_reverse'].flatMap((end) => [...runCell(own, steps, end).last.h]));
    }
    return { y: stacked(rows.map((row, t) => [...row, ...spelled.get(x.letters[t].join(' '))])) };
  },

  recurrent(layer, x, begun) {
    const ends = layer.both ? ['', '_reverse'] : [''];
    const runs = ends.map((end) => runCell(layer, x, end, begun));
    const y = stacked(Array.from({ length: x.shape[0] }, (_, t) =>
      runs.flatMap((run) => [...stepAt(run.signals.h, t)])));
    return { y, runs };
  },

  dense(layer, x) {
    const { weight, table, bias } = layer.arrays;
    const matrix = weight ?? turned(table);
    return { y: eachStep(x, (step) => timesMatrix(step, matrix, bias)) };
  },

  attend(layer, x, keys) {
    const { weight, w_query: wQuery, w_keys: wKeys, v, w_output: wOutput, bias } = layer.arrays;
    const projected = eachStep(keys, (key) => timesMatrix(key, weight ?? wKeys));
    const odds = [];
    const y = eachStep(x, (query) => {
      const asked = weight ? query : timesMatrix(query, wQuery);
      const scores = Array.from({ length: keys.shape[0] }, (_, s) => {
        const key = stepAt(projected, s);
        return key.reduce((sum, value, k) =>
          sum + (weight ? value * asked[k] : v.data[k] * Math.tanh(value + asked[k])), 0);
      });
      odds.push(softmax(scores));
      const context = new Float64Array(keys.shape[1]);
      odds.at(-1).forEach((share, s) => stepAt(keys, s).forEach((value, k) => {
        context[k] += share * value;
      }));
      return timesMatrix([...context, ...query], wOutput, bias).map(Math.tanh);
    });
    return { y, odds };
  },

  'time-last': (layer, x) => {
    const half = layer.ofBoth ? x.shape[1] / 2 : x.shape[1];
    const [last, first] = [stepAt(x, x.shape[0] - 1), stepAt(x, 0)];
    return { y: vector([...last.slice(0, half), ...first.slice(half)]) };
  },
  'time-mean': (layer, x) => ({ y: vector(overTime(x, (values) =>
    values.reduce((a, b) => a + b, 0) / values.length)) }),
  'time-max': (layer, x) => ({ y: vector(overTime(x, (values) => Math.max(...values))) }),
  dropout: (layer, x) => ({ y: x }),
};

for (const name of Object.keys(ACTIVATIONS)) {
  OVER_STEPS[name] = (layer, x) => ({ y: { ...x, data: x.data.map(ACTIVATIONS[name].of) } });
}

// The layers with their arrays, those of other layers that they share among them.
function withArrays(layers) {
  const found = [];
  for (const layer of layers) {
    const arrays = Object.fromEntries(Object.entries(layer.arrays).map(([key, array]) =>
      [key, array.shared ? found[array.shared[0]].arrays[array.shared[1]] : unpacked(array)]));
    found.push({ ...layer, arrays });
  }
  return found;
}

// All layers over a sequence: what each gives, { y, runs, odds }. begins: by the number of a layer
// what it starts from; keys: what a decoder looks back at.
function runSteps(layers, x, begins = {}, keys = null) {
  const found = [];
  let y = x;
  layers.forEach((layer, index) => {
    const more = layer.operation === 'attend' ? keys : begins[index];
    found.push(OVER_STEPS[layer.operation](layer, y, more));
    y = found.at(-1).y;
  });
  return found;
}

// What the recurrences of a decoder begin with, by their numbers, for what an encoder came to.
// isFixed: whether the encoder always gives so many numbers, of a picture, not any number of steps.
function beginsOf(encoder, encoded, decoder, isFixed = false) {
  const reader = encoder.findLastIndex(({ operation }) => operation === 'recurrent');
  const last = encoded.at(-1).y;
  const ends = (key) => encoded[reader].runs.flatMap((run) => [...run.last[key]]);
  const summary = reader >= 0 ? ends('h') : isFixed ? last.data
    : overTime(last, (values) => values.reduce((a, b) => a + b, 0) / values.length);
  const found = {};
  decoder.forEach((layer, index) => {
    if (layer.operation !== 'recurrent') return;
    const { start_weight: weight, start_bias: bias } = layer.arrays;
    if (weight) found[index] = { h: timesMatrix(summary, weight, bias).map(Math.tanh) };
    else {
      const handsOn = reader >= 0 && encoder[reader].cell === 'lstm' && layer.cell === 'lstm';
      found[index] = { h: Float64Array.from(summary),
        c: handsOn ? Float64Array.from(ends('c')) : undefined };
    }
  });
  return found;
}

// The likeliest token again and again, until the end or so many: ids that are given, ids said.
function spokenBy(decoder, begins, keys, end, most) {
  const given = [end];
  for (;;) {
    const found = runSteps(decoder, { ids: given }, begins, keys);
    const y = found.at(-1).y;
    const ids = given.map((_, t) => argmax(stepAt(y, t)));
    if (ids.at(-1) === end || given.length > most) return { given, ids, found };
    given.push(ids.at(-1));
  }
}

function stacked(rows) {
  const found = zeros([rows.length, rows[0]?.length ?? 0]);
  rows.forEach((row, t) => found.data.set(row, t * found.shape[1]));
  return found;
}

function vector(values) {
  return { shape: [values.length], data: Float32Array.from(values) };
}

function eachStep(x, make) {
  if (x.shape.length === 1) return vector(make(x.data));
  return stacked(Array.from({ length: x.shape[0] }, (_, t) => make(stepAt(x, t))));
}

function overTime(x, make) {
  const [steps, width] = x.shape;
  return Array.from({ length: width }, (_, k) =>
    make(Array.from({ length: steps }, (__, t) => x.data[t * width + k])));
}

function turned(table) {
  const [rows, columns] = table.shape;
  const found = zeros([columns, rows]);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) found.data[j * rows + i] = table.data[i * columns + j];
  }
  return found;
}

function lettersOf(arrays) {
  return Object.fromEntries(Object.entries(arrays).flatMap(([key, array]) =>
    (key.startsWith('letters_') ? [[key.slice('letters_'.length), array]] : [])));
}
