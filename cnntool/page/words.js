// Numbers and counts as people read them.

function number(value, digits = 3) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return `${value}`.replace('-', '−');
  if (size < 0.0005 || size >= 1e6) return value.toExponential(1).replace('-', '−');
  const places = Math.max(0, digits - (size >= 100 ? 2 : size >= 10 ? 1 : 0));
  return value.toFixed(places).replace('-', '−');
}

// Within a formula: a number below 0 in parentheses.
function factor(value) {
  return value < 0 ? `(${number(value)})` : number(value);
}

// In a cell of a small matrix.
function short(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e5) return `${value}`.replace('-', '−');
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2).replace('-', '−');
  return Number(value.toFixed(2)) === 0 ? '0.00' : text;
}

function counted(count, noun) {
  const plural = noun.endsWith('x') ? `${noun}es` : `${noun}s`;
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function shapeWords(shape) {
  if (shape.length === 3) {
    return `${counted(shape[0], 'map')} of ${shape[1]} × ${shape[2]}`;
  }
  const features = counted(shape.at(-1), 'feature');
  return shape.length === 2 ? `${counted(shape[0], 'step')} of ${features}` : features;
}

// Where an output stands.
function placeWords(shape, at) {
  if (shape.length === 2) return `step ${at.row + 1}, feature ${at.column + 1}`;
  const [, height, width] = mapsOf(shape);
  if (height * width === 1) return `${shape.length === 3 ? 'map' : 'feature'} ${at.map + 1}`;
  return `map ${at.map + 1}, row ${at.row + 1}, column ${at.column + 1}`;
}
