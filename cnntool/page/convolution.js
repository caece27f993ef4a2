// Convolution and the locally connected layer: cross-correlation, as the engine computes it.

const convolution = {
  forward(layer, x) {
    const y = zeros(layer.output);
    const bias = layer.arrays.bias?.data;
    const plane = layer.rows.count * layer.columns.count;
    const sums = new Float64Array(plane);
    const step = layer.columns.stride;
    for (let filter = 0; filter < layer.output[0]; filter++) {
      sums.fill(bias ? bias[filter] : 0);
      eachTap(layer, filter, (weight, map, k, l) => {
        eachLine(layer, map, k, l, (from, to, count) => {
          for (let n = 0; n < count; n++) sums[to + n] += weight * x.data[from + n * step];
        });
      });
      y.data.set(sums, filter * plane);
    }
    return y;
  },

  backward(layer, dy, x) {
    const sums = new Float64Array(x.data.length);
    const plane = layer.rows.count * layer.columns.count;
    const step = layer.columns.stride;
    for (let filter = 0; filter < layer.output[0]; filter++) {
      const grads = dy.data.subarray(filter * plane, (filter + 1) * plane);
      eachTap(layer, filter, (weight, map, k, l) => {
        eachLine(layer, map, k, l, (from, to, count) => {
          for (let n = 0; n < count; n++) sums[from + n * step] += weight * grads[to + n];
        });
      });
    }
    return { shape: x.shape, data: Float32Array.from(sums) };
  },

  kernel(layer, at, map) {
    const { rows, columns } = layer;
    const within = layer.input[0] / layer.groups;
    const start = (at.map * within + (map % within)) * rows.taps * columns.taps;
    return (k, l) => layer.arrays.weight.data[start + k * columns.taps + l];
  },

  bias: (layer, at) => layer.arrays.bias?.data[at.map],
  mapsSeen,
};

const local = {
  forward(layer, x) {
    const y = zeros(layer.output);
    eachUnit(layer.output, (at, index) => {
      let sum = local.bias(layer, at);
      eachTapAt(layer, at, (map, k, l, from) => {
        sum += local.kernel(layer, at, map)(k, l) * x.data[from];
      });
      y.data[index] = sum;
    });
    return y;
  },

  backward(layer, dy, x) {
    const sums = new Float64Array(x.data.length);
    eachUnit(layer.output, (at, index) => {
      eachTapAt(layer, at, (map, k, l, from) => {
        sums[from] += local.kernel(layer, at, map)(k, l) * dy.data[index];
      });
    });
    return { shape: x.shape, data: Float32Array.from(sums) };
  },

  kernel(layer, at, map) {
    const { rows, columns } = layer;
    const place = at.row * columns.count + at.column;
    const filter = (place * layer.output[0] + at.map) * layer.input[0] + map;
    const start = filter * rows.taps * columns.taps;
    return (k, l) => layer.arrays.weight.data[start + k * columns.taps + l];
  },

  bias: (layer, at) =>
    layer.arrays.bias.data[
      (at.row * layer.columns.count + at.column) * layer.output[0] + at.map],
  mapsSeen,
};

// The maps that a filter sees: those of its group, or those that the connection table names.
function mapsSeen(layer, filter) {
  const groups = layer.groups ?? 1;
  const within = layer.input[0] / groups;
  const first = Math.floor(filter / (layer.output[0] / groups)) * within;
  const maps = Array.from({ length: within }, (_, c) => first + c);
  return layer.table ? maps.filter((map) => layer.table[filter][map]) : maps;
}

function eachTap(layer, filter, take) {
  for (const map of mapsSeen(layer, filter)) {
    const kernel = convolution.kernel(layer, { map: filter }, map);
    for (let k = 0; k < layer.rows.taps; k++) {
      for (let l = 0; l < layer.columns.taps; l++) take(kernel(k, l), map, k, l);
    }
  }
}

// Where tap (k, l) of a map lies inside, line by line: take(index of the first input, index of the
// first output in its map, how many); inputs are a stride apart.
function eachLine(layer, map, k, l, take) {
  const { rows, columns } = layer;
  const [top, bottom] = outputsInside(rows, k);
  const [left, right] = outputsInside(columns, l);
  if (left >= right) return;
  for (let i = top; i < bottom; i++) {
    const line = (map * rows.size + inputOf(rows, i, k)) * columns.size;
    take(line + inputOf(columns, left, l), i * columns.count + left, right - left);
  }
}

function eachTapAt(layer, at, take) {
  const { rows, columns } = layer;
  for (const map of mapsSeen(layer, at.map)) {
    for (const [i, k] of layer.readsRows[at.row]) {
      for (const [j, l] of layer.readsColumns[at.column]) {
        take(map, k, l, (map * rows.size + i) * columns.size + j);
      }
    }
  }
}

function eachUnit(shape, take) {
  const [maps, height, width] = mapsOf(shape);
  let index = 0;
  for (let map = 0; map < maps; map++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) take({ map, row, column }, index++);
    }
  }
}
