// Arrays as the page has them: { shape, data }, the last axis innermost.
// A batch is one sample: maps [C, H, W], features [D], steps [T, D].

function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed.data ?? packed.bytes), (c) => c.charCodeAt(0));
  const data = packed.bytes === undefined ? new Float32Array(bytes.buffer) : bytes;
  return { shape: packed.shape, data };
}

function base64Of(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return btoa(text);
}

function product(shape) {
  return shape.reduce((all, side) => all * side, 1);
}

function zeros(shape) {
  return { shape, data: new Float32Array(product(shape)) };
}

// [C, H, W] of any sample: features are maps of one pixel, steps are one map.
function mapsOf(shape) {
  if (shape.length === 2) return [1, ...shape];
  return shape.length === 3 ? shape : [shape[0], 1, 1];
}

function placeOf(shape, index) {
  const [, height, width] = mapsOf(shape);
  return {
    map: Math.floor(index / (height * width)),
    row: Math.floor(index / width) % height,
    column: index % width,
  };
}

function valueAt(x, at) {
  const [, height, width] = mapsOf(x.shape);
  return x.data[(at.map * height + at.row) * width + at.column];
}

// The largest distance from 0, over all or from one index to another.
function largest(data, start = 0, stop = data.length) {
  let most = 0;
  for (let i = start; i < stop; i++) most = Math.max(most, Math.abs(data[i]));
  return most;
}

function argmax(data) {
  let best = 0;
  for (let i = 1; i < data.length; i++) if (data[i] > data[best]) best = i;
  return best;
}

function softmax(data) {
  const most = Math.max(...data);
  const odds = Array.from(data, (v) => Math.exp(v - most));
  const sum = odds.reduce((a, b) => a + b, 0);
  return odds.map((v) => v / sum);
}
