// The page of a captioner: a picture, what is said of it, and where each word looked.

const LOOK = 132; // pixels of the picture of a word
const MOST_WORDS = 40;

function captionPage(data) {
  const layers = prepared(data.layers);
  const [encoder, decoder] = [layers.slice(0, data.joint), layers.slice(data.joint)];
  const shape = encoder[0].input;
  const inputs = data.inputs.map(({ name, planes }) => ({ name, x: unpacked(planes) }));
  const state = { x: null, found: null, chosen: 0 };
  const spoken = element('p', { class: 'spoken', role: 'status' });
  const words = element('div', { class: 'looks' });
  const odds = element('section', { class: 'unit', 'aria-label': 'What it might have said' });

  // The maps and steps of the encoder, then what the decoder says to them.
  function computed(x) {
    const encoded = [];
    let y = x;
    for (const layer of encoder) {
      const over = y.shape.length === 2 && OVER_STEPS[layer.operation];
      encoded.push(over ? over(layer, y) : { y: OPERATIONS[layer.operation].forward(layer, y) });
      y = encoded.at(-1).y;
    }
    const begins = beginsOf(encoder, encoded, decoder, true);
    const keys = y.shape.length === 2 ? y : null;
    const most = Math.min(data.longest, MOST_WORDS);
    return { encoded, ...spokenBy(decoder, begins, keys, data.end, most) };
  }

  function run(x, index) {
    state.x = x;
    state.found = computed(x);
    state.chosen = 0;
    const shown = state.found.ids.map(tokenOf);
    spoken.textContent = shown.filter((_, t) => state.found.ids[t] !== data.end)
      .join(['char', 'byte'].includes(data.writer.level) ? '' : ' ');
    chooser.querySelectorAll('input').forEach((radio, at) => { radio.checked = at === index; });
    redraw();
  }

  function tokenOf(id) {
    const token = data.writer.tokens[id];
    return id === data.end ? '(end)' : MARKED.exec(token)?.[1] ?? tokenShown(token);
  }

  function redraw() {
    const y = state.found.found.at(-1).y;
    const looks = state.found.found.filter((each) => each.odds).at(-1)?.odds;
    words.replaceChildren(...state.found.ids.map((id, t) => element('button', {
      type: 'button', class: 'card', 'aria-pressed': String(t === state.chosen),
      onclick: () => choose(t), onpointerenter: () => choose(t),
    }, looks ? lookOf(looks[t]) : null, element('span', {}, tokenOf(id)),
    element('small', {}, percent(softmax(stepAt(y, t))[id])))));
    choose(state.chosen);
  }

  function choose(time) {
    state.chosen = time;
    [...words.children].forEach((card, t) => card.setAttribute('aria-pressed', String(t === time)));
    const y = state.found.found.at(-1).y;
    odds.replaceChildren(element('h2', {}, `Token ${time + 1}: what it might have said`),
      oddsList(softmax(stepAt(y, time)), data.writer.tokens.map((_, id) => tokenOf(id))));
  }

  // The picture, light where a word looked: places of maps, or columns of them.
  function lookOf(shares) {
    const [channels, height, width] = shape;
    const maps = encoder.find(({ operation }) => FROM_MAPS[operation]);
    const [rows, columns] = !maps ? [1, shares.length]
      : maps.operation === 'places' ? maps.input.slice(1) : [1, maps.input[2]];
    const pixels = pixelsOf(state.x, data.preprocessing);
    const most = Math.max(...shares);
    const lit = Float32Array.from({ length: 3 * height * width }, (_, i) => {
      const at = i % (height * width);
      const row = Math.floor((Math.floor(at / width) * rows) / height);
      const column = Math.floor(((at % width) * columns) / width);
      const grey = pixels[channels === 3 ? i : at];
      const heat = shares[row * columns + column] / most;
      const ember = [1, 0.55, 0.1][Math.floor(i / (height * width))];
      return 0.35 * grey + 0.65 * (heat * (0.25 * grey + 0.75 * ember));
    });
    const side = Math.max(1, Math.floor(LOOK / Math.max(height, width)));
    const layout = { maps: 1, rows: height, columns: width, side, gap: 0, down: 1, across: 1,
      tileWidth: width * side, tileHeight: height * side,
      width: width * side, height: height * side };
    const canvas = newCanvas(layout, { 'aria-hidden': 'true' });
    paintPicture(canvas, layout, lit);
    return canvas;
  }

  const ground = data.preprocessing.dark ? 0 : 1;
  const board = drawingBoard(shape, ground, (pixels) =>
    run(normalized(pixels, shape, data.preprocessing), -1));
  const chooser = element('fieldset', { class: 'inputs' }, element('legend', {}, 'Input'),
    ...inputs.map(({ name, x }, index) => element('label', { title: name }, element('input', {
      type: 'radio', name: 'input', value: index, 'aria-label': name,
      onchange: () => { board.show(pixelsOf(x, data.preprocessing)); run(x, index); },
    }), thumbnail(x, data.preprocessing, 48))));
  document.getElementById('page').append(
    element('header', {}, element('h1', {}, data.title), element('p', {}, data.facts)),
    element('div', { class: 'top' },
      element('section', { class: 'side', 'aria-label': 'Input' }, chooser,
        element('details', { class: 'own' }, element('summary', {}, 'Draw or drop an image of your own'),
          board.node)),
      element('div', { class: 'network' },
        element('section', { class: 'unit', 'aria-label': 'What it says' },
          element('h2', {}, 'What it says, and where it looked for each word'), spoken, words),
        odds)),
    element('footer', {}, element('p', {}, 'The lighter a place, the more a word looked there: its '
      + 'share of the attention against the largest. Point at a word, or tab to it, for what else it '
      + 'might have been.')));
  onShades(redraw);
  const first = inputs[0]?.x
    ?? normalized(new Float32Array(product(shape)).fill(ground), shape, data.preprocessing);
  if (inputs.length) board.show(pixelsOf(first, data.preprocessing));
  run(first, inputs.length ? 0 : -1);
  selftest(() => ({
    runs: inputs.map(({ x }) => {
      const { encoded, ids, found } = computed(x);
      return { said: ids, outputs: [...encoded, ...found].map(({ y }) => base64Of(y.data)),
        odds: found.filter((each) => each.odds).at(-1)?.odds };
    }),
  }));
}

captionPage(JSON.parse(document.getElementById('data').textContent));
