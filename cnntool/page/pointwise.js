// Layers that see one element at a time, and dense layers, which see all.

const AMPLITUDE = 1.7159;
const SLOPE = 2 / 3;

// Each with its slope, from the output y.
const ACTIVATIONS = {
  relu: { of: (x) => Math.max(x, 0), slope: (y) => (y > 0 ? 1 : 0) },
  tanh: { of: Math.tanh, slope: (y) => 1 - y * y },
  'scaled-tanh': {
    of: (x) => AMPLITUDE * Math.tanh(SLOPE * x),
    slope: (y) => SLOPE * (AMPLITUDE - y * y / AMPLITUDE),
  },
  sigmoid: { of: (x) => 1 / (1 + Math.exp(-x)), slope: (y) => y * (1 - y) },
};

const activation = {
  forward: (layer, x) =>
    ({ shape: layer.output, data: x.data.map(ACTIVATIONS[layer.operation].of) }),
  backward: (layer, dy, x, y) => ({
    shape: x.shape,
    data: dy.data.map((grad, i) => grad * ACTIVATIONS[layer.operation].slope(y.data[i])),
  }),
};

const batchNorm = {
  forward(layer, x) {
    const plane = x.data.length / layer.input[0];
    const data = x.data.map((value, i) => {
      const { mean, scale, bias } = normOf(layer, Math.floor(i / plane));
      return (value - mean) * scale + bias;
    });
    return { shape: layer.output, data };
  },
  backward(layer, dy, x) {
    const plane = x.data.length / layer.input[0];
    const data = dy.data.map((grad, i) => grad * normOf(layer, Math.floor(i / plane)).scale);
    return { shape: x.shape, data };
  },
};

function normOf(layer, map) {
  const { weight, bias, running_mean: mean, running_var: variance } = layer.arrays;
  const deviation = Math.sqrt(variance.data[map] + layer.eps);
  return {
    mean: mean.data[map],
    deviation,
    weight: weight.data[map],
    scale: weight.data[map] / deviation,
    bias: bias.data[map],
  };
}

// Dropout while nothing is learned, and flatten: the same numbers.
const unchanged = {
  forward: (layer, x) => ({ shape: layer.output, data: x.data }),
  backward: (layer, dy, x) => ({ shape: x.shape, data: dy.data }),
};

// Of features; maps are flattened, and steps are each by itself, without a way back here.
const dense = {
  forward(layer, x) {
    if (x.shape.length === 2) return OVER_STEPS.dense(layer, x).y;
    const { weight, bias } = layer.arrays;
    const count = bias.data.length;
    const sums = Float64Array.from(bias.data);
    x.data.forEach((value, i) => {
      if (value === 0) return;
      for (let o = 0; o < count; o++) sums[o] += value * weight.data[i * count + o];
    });
    return { shape: layer.output, data: Float32Array.from(sums) };
  },
  backward(layer, dy, x) {
    const count = dy.data.length;
    const dx = zeros(x.shape);
    for (let i = 0; i < dx.data.length; i++) {
      let sum = 0;
      for (let o = 0; o < count; o++) {
        sum += dy.data[o] * layer.arrays.weight.data[i * count + o];
      }
      dx.data[i] = sum;
    }
    return dx;
  },
};
