// One filter, or one pool, over a picture of one channel: sizes and borders planned as it is set.

const CONSTANT = -1;

// Where the windows lie along an axis of `size`: before it, and how many there are.
function planned(size, taps, { stride, dilation, padding, hasPart }) {
  const extent = (taps - 1) * dilation + 1;
  const before = { same: Math.floor(extent / 2), valid: 0, full: extent - 1 }[padding]
    ?? Number(padding);
  const after = padding === 'same' ? extent - 1 - before : before;
  const room = size + before + after - extent;
  let count = Math.floor(room / stride) + 1;
  if (hasPart && room < 0) count = 1;
  else if (hasPart && room % stride && count * stride < size + before) count += 1;
  return { size, taps, stride, dilation, before, count: Math.max(0, count) };
}

// The element that stands at a position anywhere on the line.
function standIn(position, size, border) {
  const turned = (period) => ((position % period) + period) % period;
  if (border === 'edge') return clamped(position, size);
  if (border === 'wrap') return turned(size);
  if (border === 'reflect') return Math.min(turned(2 * size), 2 * size - 1 - turned(2 * size));
  if (border === 'mirror') {
    const period = Math.max(1, 2 * size - 2);
    return Math.min(turned(period), period - turned(period));
  }
  return position >= 0 && position < size ? position : CONSTANT;
}

// For each output its inputs, by the border's rule where they lie outside.
function readsOf(axis, border) {
  return Array.from({ length: axis.count }, (_, output) =>
    Array.from({ length: axis.taps }, (__, tap) => {
      const position = inputOf(axis, output, tap);
      const source = standIn(position, axis.size, border);
      return { source, isInside: position >= 0 && position < axis.size };
    }));
}

// The responses of one kernel over a picture { height, width, data }.
function responses(picture, kernel, settings) {
  const [rows, columns] = axesOf(picture, kernel.length, kernel[0].length, settings);
  const [down, across] = [readsOf(rows, settings.border), readsOf(columns, settings.border)];
  const data = new Float64Array(rows.count * columns.count).fill(settings.bias ?? 0);
  kernel.forEach((line, k) => line.forEach((weight, l) => {
    if (weight === 0) return;
    let to = 0;
    for (const row of down) {
      const start = row[k].source === CONSTANT ? -1 : row[k].source * picture.width;
      for (const column of across) {
        const { source } = column[l];
        const value = start < 0 || source === CONSTANT ? 0 : picture.data[start + source];
        data[to++] += weight * value;
      }
    }
  }));
  return { height: rows.count, width: columns.count, data };
}

function axesOf(picture, rows, columns, settings) {
  return [planned(picture.height, rows, settings), planned(picture.width, columns, settings)];
}

// Those of a bank as one picture.
function combined(bank, how) {
  if (bank.length === 1 || how === 'none') return bank[0];
  const data = bank[0].data.map((first, i) => (how === 'magnitude'
    ? Math.sqrt(bank.reduce((sum, each) => sum + each.data[i] ** 2, 0))
    : bank.reduce((most, each) => Math.max(most, each.data[i]), first)));
  return { ...bank[0], data };
}

// Values as pixels from 0 to 255.
function toned(data, range) {
  const pixels = Float64Array.from(data);
  if (range === 'stretch') {
    let [low, high] = [Infinity, -Infinity];
    for (const value of data) { low = Math.min(low, value); high = Math.max(high, value); }
    return pixels.map((value) => Math.round(((value - low) * 255) / ((high - low) || 1)));
  }
  return pixels.map((value) => {
    const shown = { abs: Math.abs(value), offset: value + 128, clip: value }[range];
    return Math.min(255, Math.max(0, Math.round(shown)));
  });
}

// What one window of a pool holds, with what each element weighs.
function poolElements(picture, down, across, taps) {
  const found = [];
  down.forEach((row, k) => across.forEach((column, l) => {
    if (!row.isInside || !column.isInside) return;
    const weight = taps ? taps[0][k] * taps[1][l] : 1;
    const value = picture.data[row.source * picture.width + column.source];
    found.push({ k, l, value, weight });
  }));
  const sum = found.reduce((all, { weight }) => all + weight, 0);
  return found.map((each) => ({ ...each, weight: each.weight / sum }));
}

function poolValue(mode, p, elements) {
  const values = elements.map(({ value }) => value);
  if (mode === 'max') return Math.max(...values);
  if (mode === 'min') return Math.min(...values);
  if (mode === 'median') {
    const sorted = values.sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
  if (mode === 'lp') return norm(elements, p) / elements.length ** (1 / p);
  return elements.reduce((sum, { value, weight }) => sum + value * weight, 0);
}

// exp(-d^2 / (2 sigma^2)) of taps by their distance from the middle; sigma is a quarter of the
// window.
function bell(taps, dilation) {
  const sigma = ((taps - 1) * dilation + 1) / 4;
  return Array.from({ length: taps }, (_, tap) =>
    Math.exp(-((((tap - (taps - 1) / 2) * dilation) / sigma) ** 2) / 2));
}

function pooledPicture(picture, { mode, size, p }, settings) {
  const [rows, columns] = axesOf(picture, size, size, settings);
  const [down, across] = [readsOf(rows, 'constant'), readsOf(columns, 'constant')];
  const taps = mode === 'gaussian'
    ? [bell(size, settings.dilation), bell(size, settings.dilation)] : null;
  const data = new Float64Array(rows.count * columns.count);
  let to = 0;
  for (const row of down) {
    for (const column of across) {
      data[to++] = poolValue(mode, p, poolElements(picture, row, column, taps));
    }
  }
  return { height: rows.count, width: columns.count, data };
}
