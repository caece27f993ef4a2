// Maps as pixels: blue below 0, orange above, the colour of the page at 0; pictures as they look.

const SHADES = {
  light: { zero: [255, 255, 255], above: [180, 70, 0], below: [20, 80, 170] },
  dark: { zero: [18, 20, 24], above: [255, 165, 70], below: [95, 170, 255] },
};

const darkness = window.matchMedia('(prefers-color-scheme: dark)');
let isPrinting = false;

function shades() {
  return darkness.matches && !isPrinting ? SHADES.dark : SHADES.light;
}

// Have everything drawn anew where the colours of the page change.
function onShades(redraw) {
  const print = (now) => () => { isPrinting = now; redraw(); };
  darkness.addEventListener('change', redraw);
  window.addEventListener('beforeprint', print(true));
  window.addEventListener('afterprint', print(false));
}

// Where the maps of a layer stand on its canvas: in columns no higher than `height`, each pixel a
// square of `side`.
function layoutOf(shape, height, target) {
  const [maps, rows, columns] = mapsOf(shape);
  const isFlat = rows * columns === 1;
  const wanted = isFlat ? (maps > 256 ? 5 : 11) : Math.ceil(target / Math.max(rows, columns));
  const side = Math.max(1, Math.min(isFlat ? 11 : 16, wanted));
  const gap = isFlat ? 1 : 4;
  const [tileWidth, tileHeight] = [columns * side + gap, rows * side + gap];
  const most = Math.max(1, Math.min(maps, Math.floor((height + gap) / tileHeight)));
  const even = [0, 1, 2, 3].map((less) => most - less).find((down) =>
    down > most / 2 && maps % down === 0); // columns that are full
  const down = even ?? Math.ceil(maps / Math.ceil(maps / most));
  const across = Math.ceil(maps / down);
  return {
    maps, rows, columns, side, gap, tileWidth, tileHeight, down, across,
    width: across * tileWidth - gap,
    height: down * tileHeight - gap,
  };
}

function corner(layout, map) {
  return {
    x: Math.floor(map / layout.down) * layout.tileWidth,
    y: (map % layout.down) * layout.tileHeight,
  };
}

// The output at a point of the canvas; null between maps.
function unitAt(layout, x, y) {
  const [across, down] = [Math.floor(x / layout.tileWidth), Math.floor(y / layout.tileHeight)];
  const map = across * layout.down + down;
  const column = Math.floor((x - across * layout.tileWidth) / layout.side);
  const row = Math.floor((y - down * layout.tileHeight) / layout.side);
  const isThere = across >= 0 && down >= 0 && down < layout.down && map < layout.maps
    && column < layout.columns && row < layout.rows;
  return isThere ? { map, row, column } : null;
}

function newCanvas(layout, attributes) {
  const canvas = element('canvas', { width: layout.width, height: layout.height, ...attributes });
  canvas.style.width = `${layout.width}px`;
  canvas.style.height = `${layout.height}px`;
  return canvas;
}

// Every map on the canvas; paint(value, map) gives [red, green, blue].
function paintMaps(canvas, layout, paint) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(layout.width, layout.height);
  for (let map = 0; map < layout.maps; map++) {
    const { x, y } = corner(layout, map);
    for (let row = 0; row < layout.rows; row++) {
      for (let column = 0; column < layout.columns; column++) {
        const index = (map * layout.rows + row) * layout.columns + column;
        const [red, green, blue] = paint(index, map);
        for (let j = 0; j < layout.side; j++) {
          let at = 4 * ((y + row * layout.side + j) * layout.width + x + column * layout.side);
          for (let i = 0; i < layout.side; i++) {
            image.data[at++] = red;
            image.data[at++] = green;
            image.data[at++] = blue;
            image.data[at++] = 255;
          }
        }
      }
    }
  }
  context.putImageData(image, 0, 0);
}

// What colours values from -most to most.
function shader(most) {
  const { zero, above, below } = shades();
  return (value) => {
    const end = value > 0 ? above : below;
    const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
    return zero.map((from, i) => from + (end[i] - from) * share);
  };
}

function paintValues(canvas, layout, x, isEach) {
  const plane = layout.rows * layout.columns;
  const whole = largest(x.data);
  const shaders = Array.from({ length: layout.maps }, (_, map) =>
    shader(isEach ? largest(x.data, map * plane, (map + 1) * plane) : whole));
  paintMaps(canvas, layout, (index, map) => shaders[map](x.data[index]));
}

// A picture of pixels from 0, black, to 1, of one channel or three, in one tile.
function paintPicture(canvas, layout, pixels) {
  const plane = layout.rows * layout.columns;
  const isColour = pixels.length === 3 * plane;
  paintMaps(canvas, { ...layout, maps: 1 }, (index) =>
    [0, 1, 2].map((c) => 255 * Math.min(1, Math.max(0, pixels[index + (isColour ? c : 0) * plane]))));
}

// A picture as the network takes it, drawn in a square of so many pixels.
function thumbnail(x, preprocessing, size) {
  const [, height, width] = x.shape;
  const layout = layoutOf([1, height, width], size, size);
  const canvas = newCanvas(layout, { 'aria-hidden': 'true' });
  const scale = size / Math.max(height, width);
  canvas.style.width = `${width * scale}px`;
  canvas.style.height = `${height * scale}px`;
  paintPicture(canvas, layout, pixelsOf(x, preprocessing));
  return canvas;
}

// Outlines of an area on each of its maps, over the canvas: one path, as they may be many.
function outline(overlay, layout, area, kind) {
  overlay.replaceChildren();
  if (!area) return;
  const maps = area.maps ?? Array.from({ length: layout.maps }, (_, map) => map);
  const width = (area.right - area.left + 1) * layout.side + 1;
  const height = (area.bottom - area.top + 1) * layout.side + 1;
  const squares = maps.map((map) => {
    const { x, y } = corner(layout, map);
    const [left, top] = [x + area.left * layout.side - 0.5, y + area.top * layout.side - 0.5];
    return `M${left} ${top}h${width}v${height}h${-width}z`;
  });
  overlay.append(svg('path', { class: kind, d: squares.join('') }));
}
