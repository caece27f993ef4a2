// What an output sees of the layers before it: an area { maps, top, bottom, left, right }, both
// ends included; maps is null for all of them.

function areaOf(at) {
  return { maps: [at.map], top: at.row, bottom: at.row, left: at.column, right: at.column };
}

// The area of what comes into a layer that an area of its output depends on.
function seenBy(layer, area) {
  const { operation } = layer;
  if (operation === 'conv' || operation === 'local') {
    const [top, bottom] = span(layer.readsRows, area.top, area.bottom);
    const [left, right] = span(layer.readsColumns, area.left, area.right);
    return { maps: mapsBefore(layer, area.maps), top, bottom, left, right };
  }
  if (layer.pools) {
    const isPyramid = layer.output.length === 1;
    if (isPyramid && area.maps?.length !== 1) return everything(layer);
    const found = isPyramid ? binAt(layer, { map: area.maps[0] }) : { level: layer.pools[0] };
    const own = isPyramid ? areaOf(found.at) : area;
    const [top, bottom] = span(found.level.rows, own.top, own.bottom);
    const [left, right] = span(found.level.columns, own.left, own.right);
    return { maps: own.maps, top, bottom, left, right };
  }
  if (operation === 'flatten' && area.maps?.length === 1) return areaOf(unflattened(layer, area));
  if (FROM_MAPS[operation]) {
    const isOne = area.top === area.bottom && area.left === area.right;
    const from = isOne && FROM_MAPS[operation](layer, { row: area.top, column: area.left });
    return from ? areaOf(from) : everything(layer);
  }
  if (operation === 'dense' && layer.input.length === 2) {
    return { ...everything(layer), top: area.top, bottom: area.bottom };
  }
  if (ACTIVATIONS[operation] || operation === 'norm' || operation === 'dropout') return area;
  return everything(layer);
}

// For every stage up to this one, 0 being the input, the area that the output depends on.
function traced(layers, stage, at) {
  const found = [areaOf(at)];
  for (let before = stage - 1; before >= 0; before--) {
    found.unshift(seenBy(layers[before], found[0]));
  }
  return found;
}

function unflattened(layer, area) {
  const [, height, width] = mapsOf(layer.input);
  const index = area.maps[0];
  return {
    map: Math.floor(index / (height * width)),
    row: Math.floor(index / width) % height,
    column: index % width,
  };
}

function mapsBefore(layer, maps) {
  if (maps === null || (!layer.table && (layer.groups ?? 1) === 1)) return null;
  return [...new Set(maps.flatMap((map) => mapsSeen(layer, map)))];
}

function everything(layer) {
  const [, height, width] = mapsOf(layer.input);
  return { maps: null, top: 0, bottom: height - 1, left: 0, right: width - 1 };
}

// From the first to the last input of some neighbouring outputs.
function span(reads, first, last) {
  const all = reads.slice(first, last + 1).flat().map(([at]) => at);
  return [Math.min(...all), Math.max(...all)];
}
