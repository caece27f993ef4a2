// Where windows lie. Output o along an axis reads inputs o*stride - before + k*dilation for tap k.

function inputOf(axis, output, tap) {
  return output * axis.stride - axis.before + tap * axis.dilation;
}

// The outputs, from the first up to the last, exclusive, whose tap lies on the axis itself.
function outputsInside(axis, tap) {
  const offset = tap * axis.dilation - axis.before;
  const first = Math.max(0, Math.ceil(-offset / axis.stride));
  const last = Math.min(axis.count, Math.floor((axis.size - 1 - offset) / axis.stride) + 1);
  return [first, Math.max(first, last)];
}

// For every output the inputs that it reads: [position, tap], without those in the padding.
function windowsOf(axis) {
  return Array.from({ length: axis.count }, (_, output) => {
    const found = [];
    for (let tap = 0; tap < axis.taps; tap++) {
      const at = inputOf(axis, output, tap);
      if (at >= 0 && at < axis.size) found.push([at, tap]);
    }
    return found;
  });
}

// The same of bins, each from a start up to a stop.
function binsOf(bins) {
  return bins.map(([start, stop]) =>
    Array.from({ length: stop - start }, (_, tap) => [start + tap, tap]));
}
