// How one output came to be, as numbers: what the panel shows, and the test checks.
//
// { blocks, terms, steps, sum }: blocks are small matrices side by side, terms the rows of a
// long sum, steps a calculation of a few numbers, each [words, number]; sum is what all that
// comes to, and has to be the output.

function storyOf(layer, x, at) {
  const { operation } = layer;
  if (operation === 'conv' || operation === 'local') return ofWindow(layer, x, at);
  if (layer.pools) return ofPool(layer, x, at);
  if (operation === 'dense') return ofDense(layer, x, at);
  if (operation === 'recurrent') return ofCell(layer, x, at);
  if (operation.startsWith('time-')) return ofTime(layer, x, at);
  if (FROM_MAPS[operation]) return ofPlace(layer, x, at);
  if (operation === 'flatten') {
    const from = unflattened(layer, { maps: [at.map] });
    const value = valueAt(x, from);
    const words = `map ${from.map + 1}, row ${from.row + 1}, column ${from.column + 1}`;
    return { blocks: [], terms: [], steps: [[words, value]], sum: value };
  }
  return ofElement(layer, valueAt(x, at), at.map);
}

function ofWindow(layer, x, at) {
  const kind = OPERATIONS[layer.operation];
  const { rows, columns } = layer;
  const blocks = kind.mapsSeen(layer, at.map).map((map) => {
    const kernel = kind.kernel(layer, at, map);
    const window = grid(rows.taps, columns.taps, (k, l) =>
      inside(layer, x, map, inputOf(rows, at.row, k), inputOf(columns, at.column, l)));
    const weights = grid(rows.taps, columns.taps, kernel);
    const products = grid(rows.taps, columns.taps, (k, l) => (window[k][l] ?? 0) * weights[k][l]);
    const sum = products.flat().reduce((a, b) => a + b, 0);
    return { map, window, weights, products, sum };
  });
  const products = blocks.reduce((all, { sum }) => all + sum, 0);
  const bias = kind.bias(layer, at);
  const steps = [['sum of all products', products]];
  if (bias !== undefined) steps.push(['+ bias', bias]);
  return { blocks, terms: [], steps, sum: products + (bias ?? 0) };
}

function ofPool(layer, x, at) {
  const found = binAt(layer, at);
  const elements = elementsOf(found.level, x, found.at);
  const value = pooled(found.level, elements);
  const rows = [...new Set(elements.map(({ row }) => row))];
  const columns = [...new Set(elements.map(({ column }) => column))];
  const best = elements[winner(elements)];
  const { mode } = found.level;
  const block = {
    map: found.at.map,
    window: grid(rows.length, columns.length, (k, l) => elements[k * columns.length + l].value),
    best: mode === 'max' ? [rows.indexOf(best.row), columns.indexOf(best.column)] : null,
  };
  if (mode === 'gaussian') {
    block.weights = grid(rows.length, columns.length, (k, l) =>
      elements[k * columns.length + l].weight);
  }
  const words = {
    max: `the largest of ${elements.length}`,
    average: `the mean of ${elements.length}`,
    gaussian: 'the mean, weighted by the distance from the centre',
    lp: `the ${layer.p}-norm: (sum of |x|^${layer.p})^(1/${layer.p})`,
  };
  const steps = [[words[mode], value]];
  if (layer.operation !== 'subsample') return { blocks: [block], terms: [], steps, sum: value };
  const coefficient = layer.arrays.weight.data[at.map];
  const bias = layer.arrays.bias.data[at.map];
  steps.push(['× coefficient', coefficient], ['+ bias', bias]);
  return { blocks: [block], terms: [], steps, sum: value * coefficient + bias };
}

function ofDense(layer, x, at) {
  const { weight, bias } = layer.arrays;
  const count = bias.data.length;
  const isSteps = x.shape.length === 2;
  const [own, output] = isSteps ? [stepAt(x, at.row), at.column] : [x.data, at.map];
  const terms = Array.from(own, (value, i) => ({
    at: isSteps ? { map: 0, row: at.row, column: i } : placeOf(x.shape, i),
    value,
    weight: weight.data[i * count + output],
    product: value * weight.data[i * count + output],
  }));
  const products = terms.reduce((sum, { product: each }) => sum + each, 0);
  const steps = [
    [`sum of all ${terms.length} products`, products],
    ['+ bias', bias.data[output]],
  ];
  return { blocks: [], terms, steps, sum: products + bias.data[output] };
}

// A unit of a recurrence at a step: its gates, and what they make of the state.
function ofCell(layer, x, at) {
  const isBack = at.column >= layer.units;
  const end = isBack ? '_reverse' : '';
  const run = OVER_STEPS.recurrent(layer, x).runs[isBack ? 1 : 0];
  const story = cellStory(layer, x, run, end, at.row, at.column % layer.units);
  const gates = story.rows.map(({ name, of, input, hidden, value }) =>
    [`${name} = ${of}(${number(input)} from the input + ${number(hidden)} from the state)`, value]);
  const steps = [...gates, ...story.steps];
  return { blocks: [], terms: [], steps, sum: steps.at(-1)[1] };
}

function ofTime(layer, x, at) {
  const values = Array.from({ length: x.shape[0] }, (_, t) => stepAt(x, t)[at.map]);
  const how = layer.operation.slice('time-'.length);
  const isFirst = layer.ofBoth && at.map >= x.shape[1] / 2;
  const [words, sum] = {
    last: isFirst ? ['the first step, the last that is read from the end', values[0]]
      : ['the last step', values.at(-1)],
    mean: [`the mean of ${values.length} steps`, values.reduce((a, b) => a + b, 0) / values.length],
    max: [`the largest of ${values.length} steps, at step ${argmax(values) + 1}`, Math.max(...values)],
  }[how];
  return { blocks: [], terms: [], steps: [[words, sum]], sum };
}

function ofPlace(layer, x, at) {
  const from = FROM_MAPS[layer.operation](layer, at);
  const sum = from ? valueAt(x, from) : coordinate(layer, at);
  const words = from ? placeWords(x.shape, from) : 'where the place is, from −1 to 1';
  return { blocks: [], terms: [], steps: [[words, sum]], sum };
}

// A layer that sees one element: its value there, and how it is made.
function ofElement(layer, value, map) {
  const story = (...steps) => ({ blocks: [], terms: [], steps, sum: steps.at(-1)[1] });
  const { operation } = layer;
  if (operation === 'dropout') return story([ELEMENT_WORDS.dropout, value]);
  if (operation === 'norm') {
    const { mean, deviation, weight, bias } = normOf(layer, map);
    const unit = (value - mean) / deviation;
    return story(
      ['what comes in', value],
      [`less the mean ${number(mean)}, over the deviation ${number(deviation)}`, unit],
      [`times ${number(weight)}, plus ${number(bias)}`, unit * weight + bias]);
  }
  return story(['x, what comes in', value],
    [ELEMENT_WORDS[operation], ACTIVATIONS[operation].of(value)]);
}

const ELEMENT_WORDS = {
  relu: 'max(x, 0)',
  tanh: 'tanh(x)',
  'scaled-tanh': '1.7159 tanh(2x/3)',
  sigmoid: '1 / (1 + exp(−x))',
  norm: '(x − mean) / deviation × weight + bias',
  dropout: 'unchanged: it drops in training alone',
};

// What the layers behind make of an output, up to the first that sees more than it:
// [{ name, words, value }].
function fateOf(layers, outputs, stage, at) {
  const found = [];
  for (let next = stage; next < layers.length; next++) {
    const layer = layers[next];
    const [x, y] = [outputs[next], outputs[next + 1]];
    const kind = OPERATIONS[layer.operation];
    if (kind === activation || kind === batchNorm || layer.operation === 'dropout') {
      found.push({
        name: layer.name, words: ELEMENT_WORDS[layer.operation], value: valueAt(y, at),
      });
      continue;
    }
    const places = placesOf(layer, at);
    found.push({ name: layer.name, words: placesInWords(layer, x, at, places) });
    break;
  }
  return found;
}

function placesInWords(layer, x, at, places) {
  if (layer.operation === 'dense') return 'every output sees it, each with its own weight';
  if (layer.operation === 'flatten') return 'one feature among all';
  if (FROM_MAPS[layer.operation]) return 'one feature of a step';
  if (layer.operation === 'recurrent') return 'its step reads it, and so do those behind';
  if (layer.operation.startsWith('time-')) return 'one step among all of time';
  if (!layer.pools) {
    const count = layer.output[0];
    return `it is in ${counted(places.length, 'window')} of each of ${counted(count, 'filter')}`;
  }
  if (!places.length) return 'no window reaches it';
  const bins = `it is in ${counted(places.length, 'window')}`;
  if (places[0].level.mode !== 'max') return `${bins}, and has its share there`;
  const won = places.filter((place) => {
    const elements = elementsOf(place.level, x, place.at);
    const best = elements[winner(elements)];
    return best.row === at.row && best.column === at.column;
  });
  return `${bins}, and the largest in ${won.length}: ${won.length ? 'it goes on' : 'it ends here'}`;
}

// The windows, or bins, that an input is in.
function placesOf(layer, at) {
  const levels = layer.pools ?? [{ rows: layer.readsRows ?? [], columns: layer.readsColumns ?? [] }];
  const holding = (reads, position) =>
    reads.flatMap((window, index) => (window.some(([at]) => at === position) ? [index] : []));
  return levels.flatMap((level) =>
    holding(level.rows, at.row).flatMap((row) =>
      holding(level.columns, at.column).map((column) =>
        ({ level, at: { map: at.map, row, column } }))));
}

function inside(layer, x, map, row, column) {
  const [, height, width] = x.shape;
  const isThere = row >= 0 && row < height && column >= 0 && column < width;
  return isThere ? x.data[(map * height + row) * width + column] : null;
}

function grid(rows, columns, make) {
  return Array.from({ length: rows }, (_, k) =>
    Array.from({ length: columns }, (__, l) => make(k, l)));
}
