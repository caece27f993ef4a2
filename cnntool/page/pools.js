// Pools, of windows that slide and of bins: both are a list of inputs for each output, along each
// axis. Elements in the padding are in no list, so they count for nothing.

const pool = {
  forward(layer, x) {
    const y = zeros(layer.output);
    eachBin(layer, (level, at, index) => {
      y.data[index] = pooled(level, elementsOf(level, x, at));
    });
    return scaledMaps(layer, y, true);
  },

  backward(layer, dy, x) {
    const dx = zeros(x.shape);
    const grads = scaledMaps(layer, dy, false);
    eachBin(layer, (level, at, index) => {
      const elements = elementsOf(level, x, at);
      const shares = sharesOf(level, elements);
      elements.forEach(({ from }, n) => { dx.data[from] += shares[n] * grads.data[index]; });
    });
    return dx;
  },
};

// Of every bin: which pool it is of, the map and the place there, and where its output stands.
function eachBin(layer, take) {
  let start = 0;
  for (const level of layer.pools) {
    const [height, width] = [level.rows.length, level.columns.length];
    eachUnit([layer.input[0], height, width], (at, index) => take(level, at, start + index));
    start += layer.input[0] * height * width;
  }
}

// Which pool an output is of, and where there: a pyramid gives its levels one behind the other.
function binAt(layer, at) {
  if (layer.output.length === 3) return { level: layer.pools[0], at };
  let rest = at.map;
  for (const level of layer.pools) {
    const [height, width] = [level.rows.length, level.columns.length];
    const count = layer.input[0] * height * width;
    if (rest < count) {
      const place = rest % (height * width);
      return {
        level,
        at: {
          map: Math.floor(rest / (height * width)),
          row: Math.floor(place / width),
          column: place % width,
        },
      };
    }
    rest -= count;
  }
  throw new Error(`${layer.name} has no output ${at.map}`);
}

function elementsOf(level, x, at) {
  const [, height, width] = x.shape;
  const found = [];
  level.rows[at.row].forEach(([i], k) => {
    level.columns[at.column].forEach(([j], l) => {
      const from = (at.map * height + i) * width + j;
      const weight = level.weights
        ? level.weights[0][at.row][k] * level.weights[1][at.column][l] : 1;
      found.push({ row: i, column: j, from, weight, value: x.data[from] });
    });
  });
  return found;
}

function pooled(level, elements) {
  if (level.mode === 'max') return elements[winner(elements)].value;
  if (level.mode === 'lp') return norm(elements, level.p);
  return elements.reduce((sum, { value, weight }) => sum + weight * value, 0);
}

// The first of the largest.
function winner(elements) {
  let best = 0;
  elements.forEach(({ value }, n) => { if (value > elements[best].value) best = n; });
  return best;
}

// (sum |x|^p)^(1/p), scaled by the largest so that no power overflows.
function norm(elements, p) {
  const sizes = elements.map(({ value }) => Math.abs(value));
  const most = Math.max(...sizes);
  if (p === 'inf' || most === 0) return most;
  return most * sizes.reduce((sum, size) => sum + (size / most) ** p, 0) ** (1 / p);
}

// How much the output changes with each element.
function sharesOf(level, elements) {
  if (level.mode === 'max') {
    const best = winner(elements);
    return elements.map((_, n) => (n === best ? 1 : 0));
  }
  if (level.mode !== 'lp') return elements.map(({ weight }) => weight);
  const y = norm(elements, level.p);
  if (level.p === 'inf') {
    const best = elements.findIndex(({ value }) => Math.abs(value) === y);
    return elements.map(({ value }, n) => (n === best ? Math.sign(value) : 0));
  }
  return elements.map(({ value }) =>
    y === 0 ? 0 : Math.sign(value) * (Math.abs(value) / y) ** (level.p - 1));
}

// Of LeNet-5's subsampling each map times its coefficient, plus its bias on the way there.
function scaledMaps(layer, y, withBias) {
  if (layer.operation !== 'subsample') return y;
  const { weight, bias } = layer.arrays;
  const plane = y.data.length / layer.output[0];
  return {
    shape: y.shape,
    data: y.data.map((value, index) => {
      const map = Math.floor(index / plane);
      return value * weight.data[map] + (withBias ? bias.data[map] : 0);
    }),
  };
}

// The lists of a layer as it came: one pool of windows, or one of bins a level.
function poolsOf(layer) {
  if (layer.levels) {
    return layer.levels.map(({ mode, rows, columns, weights }) =>
      ({ mode, rows: binsOf(rows), columns: binsOf(columns), weights }));
  }
  const mode = layer.operation === 'subsample' ? 'average' : layer.operation;
  const [rows, columns] = [windowsOf(layer.rows), windowsOf(layer.columns)];
  const taps = layer.weights
    ?? [Array(layer.rows.taps).fill(1), Array(layer.columns.taps).fill(1)];
  const isMean = mode === 'average' || mode === 'gaussian';
  const weights = isMean && [rows, columns].map((windows, axis) => windows.map((window) => {
    const own = window.map(([, tap]) => taps[axis][tap]);
    const sum = own.reduce((a, b) => a + b, 0);
    return own.map((each) => each / sum);
  }));
  return [{ mode, rows, columns, weights, p: layer.p }];
}
