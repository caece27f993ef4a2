// Layers between the maps of a picture and steps, and those over steps, as layers of a network.
// Steps [T, D] are drawn as one map: a row a step, a column a feature.

// Where in the maps each feature of a step comes from; null for what says where a place is.
const FROM_MAPS = {
  columns: ({ input: [, height] }, { row, column }) =>
    ({ map: Math.floor(column / height), row: column % height, column: row }),
  places: ({ input: [channels, , width] }, { row, column }) =>
    (column < channels ? { map: column, row: Math.floor(row / width), column: row % width } : null),
};

const rearranged = {
  forward(layer, x) {
    const y = zeros(layer.output);
    eachUnit(layer.output, (at, index) => {
      const from = FROM_MAPS[layer.operation](layer, at);
      y.data[index] = from ? valueAt(x, from) : coordinate(layer, at);
    });
    return y;
  },
  backward(layer, dy, x) {
    const dx = zeros(x.shape);
    const [, height, width] = x.shape;
    eachUnit(layer.output, (at, index) => {
      const from = FROM_MAPS[layer.operation](layer, at);
      if (from) dx.data[(from.map * height + from.row) * width + from.column] = dy.data[index];
    });
    return dx;
  },
};

// y, then x, of a place, from -1 to 1.
function coordinate({ input: [channels, height, width] }, { row, column }) {
  const [at, count] = column === channels
    ? [Math.floor(row / width), height] : [row % width, width];
  return count > 1 ? -1 + (2 * at) / (count - 1) : -1;
}

// Layers of sequences, which have no way back here.
const overSteps = {
  forward: (layer, x) => OVER_STEPS[layer.operation](layer, x).y,
};
