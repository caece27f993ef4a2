// The page of one filter, or one pool: a photograph, its window, and the result, as it is set.

const SHOWN_SIDE = 480; // pixels of a picture on the page
const BORDERS = ['reflect', 'mirror', 'edge', 'wrap', 'constant'];
const RANGES = [['clip', 'clipped to black and white'], ['abs', 'its size, |v|'],
  ['offset', '0 as mid grey'], ['stretch', 'least black, most white']];
const POOL_MODES = ['max', 'average', 'gaussian', 'lp', 'min', 'median'];

function filterPage(data) {
  const bytes = unpacked(data.picture);
  const [height, width] = bytes.shape;
  const picture = { height, width, data: bytes.data };
  const isPool = data.pool !== undefined;
  const kernels = { ...data.kernels };
  const state = {
    name: data.chosen, bank: null, combine: 'none', range: 'clip', which: 0,
    pool: { ...data.pool },
    settings: isPool
      ? { stride: data.pool.size, dilation: 1, padding: '0', hasPart: true }
      : { stride: 1, dilation: 1, padding: 'same', border: 'reflect', bias: 0 },
    at: null, isPinned: false, isLarge: false, result: null, axes: null,
  };
  const said = element('p', { class: 'note', role: 'status' });
  const before = pictureView('The picture', 'before', inputPlace);
  const after = pictureView('The result', 'after', (row, column) => ({ row, column }));
  const detail = element('div', { class: 'detail' });
  const aloud = speaker();
  const editor = element('div', { class: 'editor' });
  const controls = element('div', { class: 'controls' }, ...(isPool ? poolControls()
    : kernelControls()));
  const [rowField, columnField, pin] = [numberField('Row', 'row'), numberField('Column', 'column'),
    element('input', { type: 'checkbox', onchange: () => { state.isPinned = pin.checked; } })];

  // Which output has a pixel of the picture in the middle of its window.
  function inputPlace(row, column) {
    return { row: outputAt(state.axes[0], row), column: outputAt(state.axes[1], column) };
  }

  function outputAt(axis, position) {
    const middle = Math.floor(((axis.taps - 1) * axis.dilation) / 2);
    return clamped(Math.round((position + axis.before - middle) / axis.stride), axis.count);
  }

  function pictureView(title, name, place) {
    const canvas = element('canvas', {
      tabindex: 0, role: 'application', 'aria-roledescription': 'picture',
      'aria-label': `${title}. Arrow keys move the window, Enter pins it.`,
      onpointermove: (event) => point(event, false), onclick: (event) => point(event, true),
      onkeydown: (event) => {
        const move = ARROWS[event.key];
        if (move) look({ row: state.at.row + move[0], column: state.at.column + move[1] });
        else if (event.key === 'Enter') { state.isPinned = !state.isPinned; look(state.at); }
        else return;
        event.preventDefault();
      },
    });
    const overlay = svg('svg', { 'aria-hidden': 'true', preserveAspectRatio: 'none' });
    const caption = element('figcaption', {}, element('strong', {}, title), element('span'));
    const node = element('figure', { class: `photo ${name}` }, caption,
      element('div', { class: 'holder' }, canvas, overlay));
    function point(event, isClick) {
      if (state.isPinned && !isClick) return;
      const scale = canvas.width / canvas.clientWidth;
      const found = place(Math.floor(event.offsetY * scale), Math.floor(event.offsetX * scale));
      if (isClick) state.isPinned = !state.isPinned;
      look(found);
    }
    return { canvas, overlay, caption, node };
  }

  function paint({ canvas, overlay, caption }, { height: rows, width: columns }, pixels) {
    [canvas.width, canvas.height] = [columns, rows];
    const side = SHOWN_SIDE / (state.isLarge ? Math.max(rows, columns) : Math.max(height, width));
    canvas.style.width = `${Math.max(24, columns * side)}px`;
    canvas.style.aspectRatio = `${columns} / ${rows}`;
    overlay.setAttribute('viewBox', `0 0 ${columns} ${rows}`);
    const image = new ImageData(columns, rows);
    pixels.forEach((grey, i) => { image.data.set([grey, grey, grey, 255], 4 * i); });
    canvas.getContext('2d').putImageData(image, 0, 0);
    caption.lastChild.textContent = `${columns} × ${rows} pixels`;
  }

  function box(overlay, kind, top, left, rows, columns) {
    overlay.replaceChildren(svg('path', {
      class: kind, d: `M${left} ${top}h${columns}v${rows}h${-columns}z`,
    }));
  }

  function rerun() {
    const { settings, pool: own } = state;
    const size = isPool ? [own.size, own.size] : [state.bank[0].length, state.bank[0][0].length];
    const axes = axesOf(picture, ...size, settings);
    if (axes.some(({ count }) => count < 1)) {
      said.textContent = 'No window fits into the picture: use less dilation, or more padding.';
      return;
    }
    said.textContent = '';
    state.axes = axes;
    state.result = isPool ? pooledPicture(picture, own, settings)
      : combined(state.bank.map((kernel) => responses(picture, kernel, settings)), state.combine);
    paint(after, state.result, toned(state.result.data, isPool ? 'clip' : state.range));
    const [rows, columns] = axes.map(({ count }) => Math.floor(count / 2));
    look(state.at ?? { row: rows, column: columns });
  }

  function look({ row, column }) {
    const { height: rows, width: columns, data: values } = state.result;
    state.at = { row: clamped(row, rows), column: clamped(column, columns) };
    const [down, across] = state.axes;
    const extent = (axis) => (axis.taps - 1) * axis.dilation + 1;
    box(before.overlay, 'mark', inputOf(down, state.at.row, 0), inputOf(across, state.at.column, 0),
      extent(down), extent(across));
    box(after.overlay, 'mark', state.at.row, state.at.column, 1, 1);
    const value = values[state.at.row * columns + state.at.column];
    detail.replaceChildren(
      element('h2', {}, `Result: row ${state.at.row + 1}, column ${state.at.column + 1}`),
      ...(isPool ? poolStory(value) : kernelStory(value)));
    aloud.say(`Result, row ${state.at.row + 1}, column ${state.at.column + 1}: ${number(value)}`);
    pin.checked = state.isPinned;
    rowField.update(rows);
    columnField.update(columns);
  }

  function windowOf(rows, columns) {
    return grid(rows.length, columns.length, (k, l) =>
      (rows[k].source === CONSTANT || columns[l].source === CONSTANT ? 0
        : picture.data[rows[k].source * width + columns[l].source]));
  }

  function readsHere(border) {
    return [readsOf(state.axes[0], border)[state.at.row],
      readsOf(state.axes[1], border)[state.at.column]];
  }

  function kernelStory(value) {
    const [rows, columns] = readsHere(state.settings.border);
    const window = windowOf(rows, columns);
    const outside = grid(rows.length, columns.length, (k, l) =>
      !(rows[k].isInside && columns[l].isInside));
    const sums = [];
    const blocks = state.bank.map((kernel, index) => {
      const products = grid(rows.length, columns.length, (k, l) => window[k][l] * kernel[k][l]);
      const sum = products.flat().reduce((a, b) => a + b, 0) + state.settings.bias;
      sums.push(sum);
      const seen = matrixTable('window', window, 255);
      seen.querySelectorAll('td').forEach((cell, i) => {
        if (outside.flat()[i]) cell.classList.add('outside');
      });
      return element('div', { class: 'block' }, seen, element('span', { class: 'sign' }, '×'),
        matrixTable(state.names[index], kernel, largest(kernel.flat())),
        element('span', { class: 'sign' }, '='),
        matrixTable('products', products, largest(products.flat())),
        element('span', { class: 'sign' }, state.settings.bias ? 'sum and bias ' : 'sum ',
          element('b', {}, number(sum))));
    });
    const steps = element('dl', { class: 'steps' });
    if (sums.length > 1) {
      const squares = sums.map((sum) => `${factor(sum)}²`).join(' + ');
      steps.append(element('dt', {}, state.combine === 'magnitude'
        ? `magnitude: √(${squares})` : 'the largest of them'), element('dd', {}, number(value)));
    }
    const [pixel] = toned([value], state.range === 'stretch' ? 'clip' : state.range);
    if (state.range !== 'stretch') {
      steps.append(element('dt', {}, 'as a pixel, from 0 to 255'), element('dd', {}, `${pixel}`));
    }
    const note = outside.flat().some(Boolean)
      ? element('p', { class: 'note' }, 'Cells with a dotted edge lie outside the picture: the '
        + `border rule ${state.settings.border} put them there.`) : null;
    return [element('div', { class: 'blocks' }, ...blocks), steps, note].filter(Boolean);
  }

  function poolStory(value) {
    const [rows, columns] = readsHere('constant');
    const { mode, size, p } = state.pool;
    const bells = mode === 'gaussian'
      ? [bell(size, state.settings.dilation), bell(size, state.settings.dilation)] : null;
    const elements = poolElements(picture, rows, columns, bells);
    const window = grid(rows.length, columns.length, (k, l) =>
      elements.find((each) => each.k === k && each.l === l)?.value ?? null);
    const chosen = elements.find((each) => each.value === value);
    const isChoice = ['max', 'min', 'median'].includes(mode);
    const parts = [matrixTable('window', window, 255,
      isChoice && chosen ? [chosen.k, chosen.l] : null)];
    if (mode === 'gaussian' || mode === 'average') {
      const weights = grid(rows.length, columns.length, (k, l) =>
        elements.find((each) => each.k === k && each.l === l)?.weight ?? null);
      parts.push(element('span', { class: 'sign' }, '×'),
        matrixTable('weight', weights, largest(weights.flat().filter((w) => w !== null))));
    }
    const words = {
      max: 'the largest', min: 'the smallest', median: 'the middle one in order',
      average: 'the mean', gaussian: 'the mean, weighted by the distance from the centre',
      lp: `(mean of x^${p})^(1/${p})`,
    };
    return [element('div', { class: 'block' }, ...parts),
      element('dl', { class: 'steps' }, element('dt', {}, words[mode]),
        element('dd', {}, number(value)))];
  }

  function numberField(words, key) {
    const input = element('input', {
      type: 'number', min: 1, value: 1,
      oninput: () => input.value !== ''
        && look({ ...state.at, [key]: Math.floor(Number(input.value)) - 1 }),
    });
    return {
      node: element('label', {}, `${words} `, input),
      update(count) {
        input.max = count;
        if (document.activeElement !== input) input.value = state.at[key] + 1;
      },
    };
  }

  function slider(words, key, least, most, where = state.settings) {
    const output = element('output', {}, `${where[key]}`);
    return element('label', { class: 'slider' }, `${words} `, element('input', {
      type: 'range', min: least, max: most, value: where[key], 'aria-label': words,
      oninput: (event) => {
        where[key] = Number(event.target.value);
        output.textContent = event.target.value;
        rerun();
      },
    }), output);
  }

  function menu(words, options, value, onchoose) {
    return element('label', {}, `${words} `, element('select', {
      onchange: (event) => onchoose(event.target.value),
    }, ...options.map((option) => {
      const [key, text] = Array.isArray(option) ? option : [option, option];
      return element('option', { value: key, selected: key === value }, text);
    })));
  }

  function large() {
    return element('label', {}, element('input', {
      type: 'checkbox', onchange: (event) => { state.isLarge = event.target.checked; rerun(); },
    }), ' Result as large as the picture');
  }

  function kernelControls() {
    const set = (key) => (value) => { state.settings[key] = value; rerun(); };
    const ranges = menu('Shown', RANGES, state.range, (value) => { state.range = value; rerun(); });
    const bias = slider('Bias', 'bias', -255, 255);
    state.showChosen = () => {
      ranges.querySelector('select').value = state.range;
      bias.querySelector('input').value = state.settings.bias;
      bias.querySelector('output').textContent = state.settings.bias;
    };
    return [
      menu('Kernel', Object.keys(kernels), data.chosen, choose),
      slider('Stride', 'stride', 1, 8),
      slider('Dilation', 'dilation', 1, 8),
      menu('Padding', ['same', 'valid', 'full', '1', '2', '4', '8'], 'same', set('padding')),
      menu('Border', BORDERS, 'reflect', set('border')),
      bias,
      ranges,
      large(),
    ];
  }

  function poolControls() {
    return [
      menu('Pool', POOL_MODES, state.pool.mode, (mode) => { state.pool.mode = mode; rerun(); }),
      slider('Window', 'size', 1, 16, state.pool),
      slider('Stride', 'stride', 1, 16),
      slider('Dilation', 'dilation', 1, 4),
      element('label', {}, element('input', {
        type: 'checkbox', checked: true,
        onchange: (event) => { state.settings.hasPart = event.target.checked; rerun(); },
      }), ' Part of a window at the end counts'),
      large(),
    ];
  }

  function choose(name) {
    const own = kernels[name];
    Object.assign(state, {
      name, names: own.names, combine: own.combine, range: own.range, which: 0,
      bank: own.bank.map((kernel) => kernel.map((line) => [...line])),
    });
    state.settings.bias = own.bias;
    state.showChosen();
    edit();
    rerun();
  }

  // The weights as fields, of each kernel of the bank.
  function edit() {
    editor.replaceChildren(...state.bank.map((kernel, index) => element('table', { class: 'weights' },
      element('caption', {}, `${state.names[index]}: weights, to be changed`),
      element('tbody', {}, ...kernel.map((line, k) => element('tr', {}, ...line.map((weight, l) =>
        element('td', {}, element('input', {
          type: 'number', step: 'any', value: Number(weight.toFixed(5)),
          'aria-label': `${state.names[index]}, row ${k + 1}, column ${l + 1}`,
          oninput: (event) => {
            const value = Number(event.target.value);
            if (event.target.value === '' || !Number.isFinite(value)) return;
            kernel[k][l] = value;
            rerun();
          },
        })))))))));
  }

  document.getElementById('page').append(
    element('header', {}, element('h1', {}, data.title), element('p', {}, data.facts)),
    element('section', { class: 'unit', 'aria-label': 'Settings' }, controls, editor, said),
    element('div', { class: 'photos' }, before.node, after.node),
    element('section', { class: 'unit', 'aria-label': 'The window' },
      element('fieldset', { class: 'looking' }, element('legend', {}, 'Looking at'), rowField.node,
        columnField.node, element('label', {}, pin, ' Pinned')), detail, aloud.node),
    element('footer', {}, element('p', {}, 'Point at a pixel of either picture, or use the arrow '
      + 'keys on one; click or Enter pins the window.')));
  paint(before, picture, picture.data);
  if (isPool) rerun();
  else choose(data.chosen);
  selftest(() => ({
    results: data.tried.map((tried) => {
      const found = isPool ? pooledPicture(picture, tried.pool, tried)
        : combined(kernels[tried.kernel].bank.map((kernel) => responses(picture, kernel, tried)),
          kernels[tried.kernel].combine);
      return { shape: [found.height, found.width], data: base64Of(Float32Array.from(found.data)) };
    }),
  }));
}

filterPage(JSON.parse(document.getElementById('data').textContent));
