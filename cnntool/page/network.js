// A network: its layers one after the other, forward and back.

const OPERATIONS = {
  conv: convolution,
  local,
  max: pool,
  average: pool,
  lp: pool,
  gaussian: pool,
  subsample: pool,
  bins: pool,
  relu: activation,
  tanh: activation,
  'scaled-tanh': activation,
  sigmoid: activation,
  norm: batchNorm,
  dropout: unchanged,
  flatten: unchanged,
  dense,
  columns: rearranged,
  places: rearranged,
  recurrent: overSteps,
  'time-last': overSteps,
  'time-mean': overSteps,
  'time-max': overSteps,
};

function hasWayBack(layers) {
  return layers.every(({ operation }) => OPERATIONS[operation].backward);
}

// The layers as the file has them, with their arrays and the lists of what windows read.
function prepared(layers) {
  return withArrays(layers).map((layer) => {
    const found = { ...layer };
    if (OPERATIONS[layer.operation] === pool) found.pools = poolsOf(layer);
    if (layer.operation === 'conv' || layer.operation === 'local') {
      found.readsRows = windowsOf(layer.rows);
      found.readsColumns = windowsOf(layer.columns);
    }
    return found;
  });
}

// What comes in and what every layer makes of it.
function outputsOf(layers, x) {
  const found = [x];
  for (const layer of layers) {
    found.push(OPERATIONS[layer.operation].forward(layer, found.at(-1)));
  }
  return found;
}

// The gradients of one number, of the output numbered ``index``, by all of these.
function gradientsOf(layers, outputs, index) {
  let grad = zeros(outputs.at(-1).shape);
  grad.data[index] = 1;
  const found = [grad];
  for (let at = layers.length - 1; at >= 0; at--) {
    const { backward } = OPERATIONS[layers[at].operation];
    grad = backward(layers[at], grad, outputs[at], outputs[at + 1]);
    found.unshift(grad);
  }
  return found;
}
