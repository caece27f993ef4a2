// Pictures of one's own: drawn on a canvas of the network's size, dropped, or chosen as a file.

// What a network takes of pixels from 0, black, to 1: ((black + p (white - black)) - mean) / std.
function normalized(pixels, shape, { mean, std, black, white }) {
  const plane = shape[1] * shape[2];
  return {
    shape,
    data: pixels.map((pixel, i) => {
      const channel = Math.floor(i / plane);
      return (black + pixel * (white - black) - mean[channel]) / std[channel];
    }),
  };
}

// The contrary, for showing.
function pixelsOf(x, { mean, std, black, white }) {
  const plane = x.shape[1] * x.shape[2];
  return x.data.map((value, i) => {
    const channel = Math.floor(i / plane);
    return (value * std[channel] + mean[channel] - black) / (white - black);
  });
}

// A picture file as pixels of this size and these channels, on white.
async function readPicture(file, [channels, height, width]) {
  let image = await createImageBitmap(file);
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const draw = (w, h) => {
    [canvas.width, canvas.height] = [w, h];
    context.fillStyle = '#fff';
    context.fillRect(0, 0, w, h);
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, w, h);
  };
  while (image.width > 2 * width && image.height > 2 * height) { // halves lose no pixel
    draw(Math.ceil(image.width / 2), Math.ceil(image.height / 2));
    image = await createImageBitmap(canvas);
  }
  draw(width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Float32Array(channels * height * width);
  for (let i = 0; i < height * width; i++) {
    const colour = data.slice(4 * i, 4 * i + 3);
    if (channels === 1) {
      pixels[i] = (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255;
    } else {
      for (let c = 0; c < 3; c++) pixels[c * height * width + i] = colour[c] / 255;
    }
  }
  return pixels;
}

// A place to draw: { node, show(pixels) }; onchange gets the pixels.
function drawingBoard(shape, ground, onchange) {
  const [channels, height, width] = shape;
  const side = Math.max(1, Math.floor(200 / Math.max(height, width)));
  const layout = layoutOf([1, height, width], height * side, Math.max(height, width) * side);
  const fixed = { ...layout, side, tileWidth: width * side, tileHeight: height * side, gap: 0,
    width: width * side, height: height * side };
  const canvas = newCanvas(fixed, {
    class: 'board',
    tabindex: 0,
    role: 'application',
    'aria-roledescription': 'drawing board',
    'aria-label': `A board of ${height} by ${width} pixels. Arrow keys move the brush, the space `
      + 'bar paints, Delete takes paint away.',
  });
  const overlay = svg('svg', { width: fixed.width, height: fixed.height, 'aria-hidden': 'true' });
  let pixels = new Float32Array(channels * height * width).fill(ground);
  let brush = { row: Math.floor(height / 2), column: Math.floor(width / 2) };
  const colour = element('input', { type: 'color', value: ground > 0.5 ? '#000000' : '#ffffff' });
  const eraser = element('input', { type: 'checkbox' });
  const size = element('input', {
    type: 'range', min: 0.5, max: Math.max(2, width / 8), step: 0.25,
    value: Math.max(0.7, width / 20),
  });

  const redraw = () => paintPicture(canvas, fixed, pixels);
  const mark = () => outline(overlay, fixed,
    { maps: [0], top: brush.row, bottom: brush.row, left: brush.column, right: brush.column },
    'mark');

  let last = null; // where a stroke has come to

  const paint = (places, isErasing) => {
    for (const { row, column } of places) dab(row, column, isErasing);
    redraw();
    onchange(pixels);
  };

  const dab = (row, column, isErasing) => {
    const ink = [1, 3, 5].map((at) => parseInt(colour.value.slice(at, at + 2), 16) / 255);
    const grey = 0.299 * ink[0] + 0.587 * ink[1] + 0.114 * ink[2];
    const radius = Number(size.value);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(i - row, j - column)));
        for (let c = 0; cover > 0 && c < channels; c++) {
          const at = (c * height + i) * width + j;
          const goal = isErasing ? ground : channels === 1 ? grey : ink[c];
          pixels[at] += (goal - pixels[at]) * cover;
        }
      }
    }
  };

  const place = (event) => ({
    row: (event.offsetY / fixed.side) - 0.5,
    column: (event.offsetX / fixed.side) - 0.5,
  });
  canvas.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    paint([last], eraser.checked);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!event.buttons) return;
    const next = place(event);
    const steps = Math.max(1, Math.ceil(Math.hypot(next.row - last.row, next.column - last.column)));
    paint(Array.from({ length: steps }, (_, n) => ({
      row: last.row + ((next.row - last.row) * (n + 1)) / steps,
      column: last.column + ((next.column - last.column) * (n + 1)) / steps,
    })), eraser.checked);
    last = next;
  });
  canvas.addEventListener('focus', mark);
  canvas.addEventListener('blur', () => overlay.replaceChildren());
  canvas.addEventListener('keydown', (event) => {
    const move = ARROWS[event.key];
    if (move) {
      brush = {
        row: clamped(brush.row + move[0], height),
        column: clamped(brush.column + move[1], width),
      };
      mark();
    } else if (event.key === ' ') paint([brush], eraser.checked);
    else if (event.key === 'Delete' || event.key === 'Backspace') {
      paint([brush], true);
    } else return;
    event.preventDefault();
  });

  const show = (other) => { pixels = Float32Array.from(other); redraw(); };
  const take = async (file) => {
    if (!file) return;
    try {
      show(await readPicture(file, shape));
      said.textContent = `${file.name}: resized by the browser, whose numbers differ a little `
        + 'from those of cnntool predict.';
      onchange(pixels);
    } catch {
      said.textContent = `${file.name} is no picture that this browser reads.`;
    }
  };
  const said = element('p', { class: 'note', role: 'status' });
  const clear = element('button', {
    type: 'button',
    onclick: () => { show(new Float32Array(pixels.length).fill(ground)); onchange(pixels); },
  }, 'Clear');
  const file = element('input', {
    type: 'file', accept: 'image/*', onchange: (event) => take(event.target.files[0]),
  });
  const node = element('div', { class: 'drawing' },
    element('div', { class: 'holder' }, canvas, overlay),
    element('div', { class: 'tools' },
      element('label', {}, 'Brush ', size),
      channels === 3 ? element('label', {}, 'Colour ', colour) : null,
      element('label', {}, eraser, ' Erase'),
      clear),
    element('label', { class: 'file' }, 'Or a picture: choose or drop a file ', file),
    said);
  node.addEventListener('dragover', (event) => event.preventDefault());
  node.addEventListener('drop', (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  redraw();
  return { node, show };
}

const ARROWS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};

function clamped(value, count) {
  return Math.max(0, Math.min(count - 1, value));
}
