// The page of a network of images: its layers from left to right, every map drawn.

const LANE = 348; // pixels that maps may stand high
const TILE = 44; // pixels of a map at least, where it has few
const FIRST_BLOCKS = 6;
const FIRST_TERMS = 12;

function explorer(data) {
  const layers = prepared(data.layers);
  const shape = data.layers[0].input;
  const classes = data.labels; // null where the last layers were left out
  const goesBack = classes && hasWayBack(layers)
    && !layers.some(({ operation, input }) => operation === 'dense' && input.length === 2);
  const inputs = data.inputs.map(({ name, label, planes }) =>
    ({ name, label, x: unpacked(planes) }));
  const state = {
    input: 0, x: null, outputs: [], grads: [], odds: [], chosen: 0,
    stage: 1, at: { map: 0, row: 0, column: 0 }, isPinned: false,
    show: 'values', isEach: false, hasAll: false,
  };
  const stages = [{ name: 'input', text: 'as the network sees it', output: shape },
    ...layers].map(stageOf);
  const ground = data.preprocessing.dark ? 0 : 1;
  const board = drawingBoard(shape, ground, (pixels) => {
    runOn(normalized(pixels, shape, data.preprocessing), -1);
  });
  const bars = classes ? classBars() : null;
  const looking = lookingAt();
  const detail = element('div', { class: 'detail' });
  const aloud = speaker();

  function stageOf(stage, index) {
    const layout = layoutOf(
      index ? stage.output : [1, ...shape.slice(1)], LANE,
      index && mapsOf(stage.output)[0] > 1 ? TILE : 120);
    const words = shapeWords(stage.output);
    const canvas = newCanvas(layout, {
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'feature maps',
      'aria-label': `${stage.name}, ${stage.text}: ${words}. Arrow keys move the pixel, Page Up `
        + 'and Page Down the map, Enter pins it.',
      onpointermove: (event) => point(event, false),
      onclick: (event) => point(event, true),
      onfocus: () => { if (!state.isPinned) select(index, within(index, state.at)); },
      onkeydown: (event) => onKey(index, event),
    });
    const overlay = svg('svg', {
      width: layout.width + 4, height: layout.height + 4,
      viewBox: `-2 -2 ${layout.width + 4} ${layout.height + 4}`, 'aria-hidden': 'true',
    });
    const ends = element('span', { class: 'ends' });
    const node = element('figure', { class: 'stage' },
      element('figcaption', {}, element('strong', {}, stage.name),
        element('span', {}, stage.text), element('span', {}, words)),
      element('div', { class: 'holder' }, canvas, overlay), ends);
    function point(event, isClick) {
      const at = unitAt(layout, event.offsetX, event.offsetY);
      if (!at || (state.isPinned && !isClick)) return;
      const isSame = state.stage === index && sameUnit(state.at, at);
      if (isClick) state.isPinned = !(state.isPinned && isSame);
      select(index, at);
    }
    return { ...stage, layout, canvas, overlay, ends, node };
  }

  function onKey(index, event) {
    const [maps, rows, columns] = unitsOf(index);
    const at = within(index, state.stage === index ? state.at : { map: 0, row: 0, column: 0 });
    const move = ARROWS[event.key];
    const isFlat = rows * columns === 1;
    if (move && isFlat) at.map = clamped(at.map + move[0] + move[1] * stages[index].layout.down, maps);
    else if (move) {
      at.row = clamped(at.row + move[0], rows);
      at.column = clamped(at.column + move[1], columns);
    } else if (event.key === 'PageDown') at.map = clamped(at.map + 1, maps);
    else if (event.key === 'PageUp') at.map = clamped(at.map - 1, maps);
    else if (event.key === 'Enter' || event.key === ' ') state.isPinned = !state.isPinned;
    else return;
    event.preventDefault();
    select(index, at);
  }

  // Maps, rows and columns that can be pointed at: channels of a picture lie upon each other.
  function unitsOf(index) {
    return mapsOf(stages[index].output);
  }

  function within(index, { map, row, column }) {
    const [maps, rows, columns] = unitsOf(index);
    return { map: clamped(map, maps), row: clamped(row, rows), column: clamped(column, columns) };
  }

  // Run an input through all layers; its number, or -1 for one of one's own.
  function runOn(x, index) {
    state.x = x;
    state.input = index;
    state.outputs = outputsOf(layers, x);
    if (classes) {
      state.odds = softmax(state.outputs.at(-1).data);
      if (!state.isChosen) state.chosen = argmax(state.odds);
    }
    goBack();
    chooser.querySelectorAll('input').forEach((radio, at) => { radio.checked = at === index; });
  }

  // The gradients of the chosen class; of networks without classes those of the unit looked at.
  function goBack() {
    state.grads = goesBack ? gradientsOf(layers, state.outputs, state.chosen) : [];
    redraw();
  }

  function shownAt(index) {
    const [x, grad] = [state.outputs[index], state.grads[index]];
    if (state.show === 'values' || !grad) return x;
    if (state.show === 'gradient') return grad;
    return { shape: x.shape, data: x.data.map((value, i) => value * grad.data[i]) };
  }

  function redraw() {
    stages.forEach(({ canvas, layout, ends }, index) => {
      const x = shownAt(index);
      if (index === 0 && x === state.outputs[0]) {
        paintPicture(canvas, layout, pixelsOf(x, data.preprocessing));
        ends.textContent = '';
        return;
      }
      if (index === 0 && shape[0] > 1) { // of colours the sum
        const plane = shape[1] * shape[2];
        const sum = { shape: [1, ...shape.slice(1)], data: new Float32Array(plane) };
        x.data.forEach((value, i) => { sum.data[i % plane] += value; });
        paintValues(canvas, layout, sum, state.isEach);
      } else paintValues(canvas, layout, x, state.isEach);
      const most = largest(x.data);
      ends.textContent = state.isEach ? 'each map by itself' : `−${number(most)} to ${number(most)}`;
    });
    bars?.update();
    select(state.stage, within(state.stage, state.at));
  }

  function select(index, at) {
    Object.assign(state, { stage: index, at });
    const areas = traced(layers, index, at);
    stages.forEach(({ overlay, layout }, stage) => {
      const area = stage === 0 && areas[0] ? { ...areas[0], maps: [0] } : areas[stage];
      const kind = stage === index ? 'mark' : stage === index - 1 ? 'window' : 'reach';
      outline(overlay, layout, area, kind);
    });
    looking.update();
    detail.replaceChildren(...panel());
    aloud.say(sentence());
  }

  function sentence() {
    const x = state.outputs[state.stage];
    const where = `${stages[state.stage].name}, ${placeWords(x.shape, state.at)}`;
    const steps = state.stage
      ? storyOf(layers[state.stage - 1], state.outputs[state.stage - 1], state.at).steps : [];
    return `${where}: ${number(valueAt(x, state.at))}. `
      + steps.map(([words, value]) => `${words} ${number(value)}`).join(', ');
  }

  function panel() {
    const { stage, at } = state;
    const x = state.outputs[stage];
    const value = valueAt(x, at);
    const grad = state.grads[stage];
    const heading = element('h2', {}, `${stages[stage].name}: ${placeWords(x.shape, at)}`);
    const facts = element('p', { class: 'value' },
      element('span', {}, 'value ', element('b', {}, number(value))),
      grad ? element('span', {}, `gradient of the score of “${classes[state.chosen]}” by it `,
        element('b', {}, number(valueAt(grad, at)))) : null,
      stage === 0 ? element('span', {}, 'brightness ',
        element('b', {}, percent(pixelsOf(x, data.preprocessing)[indexOf(x, at)]))) : null);
    const story = stage ? storyOf(layers[stage - 1], state.outputs[stage - 1], at) : null;
    const fate = fateOf(layers, state.outputs, stage, at);
    return [heading, facts,
      element('div', { class: 'columns' }, enlarged(x, at),
        element('div', { class: 'making' },
          story ? element('h3', {}, `How ${layers[stage - 1].name} makes it`) : null,
          ...(story ? storyView(story, stage) : []),
          fate.length ? element('h3', {}, 'What becomes of it') : null,
          fate.length ? element('ol', { class: 'fate' }, ...fate.map(({ name, words, value: made }) =>
            element('li', {}, element('strong', {}, `${name} `), words,
              made === undefined ? '' : element('b', {}, ` = ${number(made)}`)))) : null))];
  }

  // The map that is looked at, large enough to point at its pixels.
  function enlarged(x, at) {
    const [, rows, columns] = mapsOf(x.shape);
    if (rows * columns === 1) return null;
    const side = Math.max(1, Math.min(24, Math.floor(208 / Math.max(rows, columns))));
    const layout = { maps: 1, rows, columns, side, gap: 0, down: 1, across: 1,
      tileWidth: columns * side, tileHeight: rows * side,
      width: columns * side, height: rows * side };
    const canvas = newCanvas(layout, {
      role: 'img', 'aria-label': `map ${at.map + 1} of ${stages[state.stage].name}, enlarged`,
      onpointerdown: (event) => choose(event), onpointermove: (event) => event.buttons && choose(event),
    });
    const overlay = svg('svg', { width: layout.width + 4, height: layout.height + 4,
      viewBox: `-2 -2 ${layout.width + 4} ${layout.height + 4}`, 'aria-hidden': 'true' });
    const plane = rows * columns;
    const shown = shownAt(state.stage);
    const own = shown.data.subarray(at.map * plane, (at.map + 1) * plane);
    const isPicture = state.stage === 0 && state.show === 'values' && shape[0] === 1;
    if (isPicture) paintPicture(canvas, layout, pixelsOf(x, data.preprocessing));
    else {
      const shade = shader(state.isEach ? largest(own) : largest(shown.data));
      paintMaps(canvas, layout, (index) => shade(own[index]));
    }
    outline(overlay, layout, { ...areaOf(at), maps: [0] }, 'mark');
    function choose(event) {
      const found = unitAt(layout, event.offsetX, event.offsetY);
      if (found) select(state.stage, { ...found, map: at.map });
    }
    return element('figure', { class: 'enlarged' },
      element('div', { class: 'holder' }, canvas, overlay),
      element('figcaption', {}, `${mapWords(state.stage, at.map)} of ${stages[state.stage].name}`));
  }

  function storyView(story, stage) {
    const x = state.outputs[stage - 1];
    const before = stages[stage - 1].name;
    const most = largest(x.data);
    const ranked = [...story.blocks].sort((a, b) => Math.abs(b.sum ?? 0) - Math.abs(a.sum ?? 0));
    const shown = state.hasAll ? ranked : ranked.slice(0, FIRST_BLOCKS);
    const weights = largest(ranked.flatMap(({ weights: own }) => own?.flat() ?? []));
    const products = largest(ranked.flatMap(({ products: own }) => own?.flat() ?? []));
    const parts = shown.map((block) => element('div', { class: 'block' },
      matrixTable(`${before}, ${mapWords(stage - 1, block.map)}`, block.window, most, block.best),
      block.weights ? element('span', { class: 'sign' }, '×') : null,
      block.weights ? matrixTable(block.products ? 'kernel' : 'weight', block.weights, weights) : null,
      block.products ? element('span', { class: 'sign' }, '=') : null,
      block.products ? matrixTable('products', block.products, products) : null,
      block.products ? element('span', { class: 'sign' }, 'sum ', element('b', {}, number(block.sum)))
        : null));
    const terms = termsView(story.terms, before, x);
    const steps = element('dl', { class: 'steps' }, ...story.steps.flatMap(([words, value]) =>
      [element('dt', {}, words), element('dd', {}, number(value))]));
    if (story.steps.length > 1 && story.blocks.length + story.terms.length) {
      steps.append(element('dt', { class: 'total' }, 'together'),
        element('dd', { class: 'total' }, number(story.sum)));
    }
    return [element('div', { class: 'blocks' }, ...parts), moreButton(ranked.length, FIRST_BLOCKS,
      'maps, those that bring most first'), ...terms, steps];
  }

  function termsView(terms, before, x) {
    if (!terms.length) return [];
    const ranked = [...terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    const shown = ranked.slice(0, state.hasAll ? 200 : FIRST_TERMS);
    const rest = ranked.slice(shown.length).reduce((sum, { product: each }) => sum + each, 0);
    const most = Math.abs(ranked[0].product);
    const table = element('table', { class: 'terms' }, element('thead', {}, element('tr', {},
      ...[before, 'value', 'weight', 'product'].map((words) =>
        element('th', { scope: 'col' }, words)))));
    const body = table.createTBody();
    for (const { at, value, weight, product: each } of shown) {
      body.append(element('tr', {}, element('th', { scope: 'row' }, placeWords(x.shape, at)),
        element('td', {}, number(value)), element('td', {}, number(weight)),
        element('td', { class: shadeClass(each, most) }, number(each))));
    }
    if (ranked.length > shown.length) {
      body.append(element('tr', {}, element('th', { scope: 'row' },
        `the other ${ranked.length - shown.length}`), element('td'), element('td'),
      element('td', {}, number(rest))));
    }
    return [table, moreButton(ranked.length, FIRST_TERMS, 'products, the largest first')];
  }

  // A channel of a colour picture by its colour.
  function mapWords(stage, map) {
    const isColour = stage === 0 && shape[0] === 3;
    return isColour ? ['red', 'green', 'blue'][map] : `map ${map + 1}`;
  }

  function moreButton(count, first, what) {
    if (count <= first) return null;
    return element('button', {
      type: 'button',
      class: 'more',
      onclick: () => { state.hasAll = !state.hasAll; select(state.stage, state.at); },
    }, state.hasAll ? `Only ${first} of the ${count} ${what}` : `All ${count} ${what}`);
  }

  // Classes with their probabilities, of which one is chosen.
  function classBars() {
    const rows = classes.map((label, index) => {
      const bar = element('span', { class: 'bar' });
      const share = element('span', { class: 'share' });
      const radio = element('input', {
        type: 'radio', name: 'class', value: index,
        onchange: () => { state.chosen = index; state.isChosen = true; goBack(); },
      });
      const node = element('label', {}, radio, element('span', { class: 'name' }, label),
        element('span', { class: 'track' }, bar), share);
      return { node, bar, share, radio };
    });
    const node = element('fieldset', { class: 'classes' },
      element('legend', {}, 'What it takes the image for; choose a class'),
      ...rows.map(({ node: row }) => row));
    function update() {
      rows.forEach(({ bar, share, radio }, index) => {
        bar.style.width = `${100 * state.odds[index]}%`;
        share.textContent = percent(state.odds[index]);
        radio.checked = index === state.chosen;
      });
    }
    return { node, update };
  }

  // The place looked at, as controls.
  function lookingAt() {
    const layer = element('select', {
      onchange: () => {
        const index = Number(layer.value);
        lane.scrollTo({ left: stages[index].node.offsetLeft - 150 });
        select(index, within(index, state.at));
      },
    }, ...stages.map(({ name, text }, index) =>
      element('option', { value: index }, index ? `${name} (${text})` : name)));
    const fields = ['map', 'row', 'column'].map((key) => {
      const input = element('input', {
        type: 'number', min: 1, value: 1,
        oninput: () => {
          if (input.value === '') return;
          select(state.stage,
            within(state.stage, { ...state.at, [key]: Math.floor(Number(input.value)) - 1 }));
        },
      });
      return { key, input };
    });
    const pinned = element('input', {
      type: 'checkbox', onchange: () => { state.isPinned = pinned.checked; },
    });
    const node = element('fieldset', { class: 'looking' }, element('legend', {}, 'Looking at'),
      element('label', {}, 'Layer ', layer),
      ...fields.map(({ key, input }) =>
        element('label', {}, `${key[0].toUpperCase()}${key.slice(1)} `, input)),
      element('label', {}, pinned, ' Pinned'));
    function update() {
      layer.value = state.stage;
      pinned.checked = state.isPinned;
      unitsOf(state.stage).forEach((count, n) => {
        const { key, input } = fields[n];
        input.max = count;
        if (document.activeElement !== input) input.value = state.at[key] + 1;
      });
    }
    return { node, update };
  }

  const chooser = element('fieldset', { class: 'inputs' }, element('legend', {}, 'Input'),
    ...inputs.map(({ name, label, x }, index) => {
      const canvas = thumbnail(x, data.preprocessing, 48);
      const said = label === undefined ? name : `${name}, labelled ${label}`;
      return element('label', { title: said },
        element('input', {
          type: 'radio', name: 'input', value: index, 'aria-label': said,
          onchange: () => {
            board.show(pixelsOf(x, data.preprocessing));
            runOn(x, index);
          },
        }), canvas);
    }));

  function open(index) {
    chooser.querySelectorAll('input')[index].click();
    network.scrollIntoView({ behavior: 'smooth' });
  }

  const report = data.report ? reportOf({
    ...data.report,
    mistakes: data.report.mistakes.map((mistake) =>
      ({ ...mistake, picture: () => thumbnail(inputs[mistake.input].x, data.preprocessing, 80) })),
  }, open) : null;
  const lane = element('div', { class: 'lane' }, ...stages.map(({ node }) => node));
  const noGradient = classes && !goesBack ? element('p', { class: 'note' },
    'The page goes forward alone through steps, so it has no gradients of this network.') : null;
  const showing = element('div', { class: 'showing' }, noGradient,
    goesBack ? choice('Maps show', [['values', 'values'], ['gradient', 'gradient of the class'],
      ['product', 'value × gradient']], 'values', (value) => { state.show = value; redraw(); }) : null,
    choice('Shades', [['layer', 'alike in a layer'], ['map', 'each map by itself']], 'layer',
      (value) => { state.isEach = value === 'map'; redraw(); }));

  const network = element('div', { class: 'top' },
    element('section', { class: 'side', 'aria-label': 'Input and answer' }, chooser,
      element('details', { class: 'own' }, element('summary', {}, 'Draw or drop an image of your own'),
        board.node),
      bars?.node),
    element('div', { class: 'network' },
      element('section', { class: 'layers', 'aria-label': 'Layers' }, showing, lane),
      element('section', { class: 'unit', 'aria-label': 'The pixel looked at' },
        looking.node, detail, aloud.node),
      legendOf()));
  document.getElementById('page').append(
    element('header', {}, element('h1', {}, data.title), element('p', {}, data.facts)),
    ...(report ? [report, element('h2', { class: 'opened' }, 'The network, layer by layer')] : []),
    network);
  onShades(redraw);
  const first = inputs[0]?.x
    ?? normalized(new Float32Array(product(shape)).fill(ground), shape, data.preprocessing);
  const conv = layers.findIndex(({ operation }) => operation === 'conv');
  const start = Math.max(0, conv) + 1;
  if (inputs.length) board.show(pixelsOf(first, data.preprocessing));
  runOn(first, inputs.length ? 0 : -1);
  const [y, grad] = [state.outputs[start], state.grads[start]];
  const weighed = grad ? y.data.map((value, i) => Math.abs(value * grad.data[i])) : y.data;
  select(start, placeOf(stages[start].output, argmax(weighed))); // what says most for the answer
  selftest(() => walk());

  // Every input through every layer, and every place looked at once.
  function walk() {
    const runs = inputs.map(({ x }) => {
      const outputs = outputsOf(layers, x);
      const grads = goesBack ? gradientsOf(layers, outputs, 0) : [];
      return {
        outputs: outputs.map(({ data: values }) => base64Of(values)),
        gradients: grads.map(({ data: values }) => base64Of(values)),
      };
    });
    let [worst, slowest, count] = [0, 0, 0];
    stages.forEach((_, index) => {
      const all = product(unitsOf(index));
      for (let unit = 0; unit < all; unit += Math.ceil(all / 12)) {
        const at = placeOf(stages[index].output, unit);
        const began = performance.now();
        select(index, at);
        document.body.getBoundingClientRect(); // laid out anew, too
        slowest = Math.max(slowest, performance.now() - began);
        count += 1;
        if (index === 0) continue;
        const { sum } = storyOf(layers[index - 1], state.outputs[index - 1], at);
        const value = valueAt(state.outputs[index], at);
        worst = Math.max(worst, Math.abs(sum - value) / Math.max(1, Math.abs(value)));
      }
    });
    document.querySelectorAll('.card, .report td button').forEach((button) => button.click());
    return { runs, stories: { worst, count }, slowest };
  }
}

function indexOf(x, at) {
  const [, height, width] = mapsOf(x.shape);
  return (at.map * height + at.row) * width + at.column;
}

function sameUnit(one, other) {
  return one.map === other.map && one.row === other.row && one.column === other.column;
}

function legendOf() {
  return element('footer', {},
    element('p', {}, element('span', { class: 'swatch n8' }), ' below 0 ',
      element('span', { class: 'swatch zero' }), ' 0 ',
      element('span', { class: 'swatch p8' }), ' above 0. The outlines: the pixel looked at, its '
      + 'window in the layer before, and all that it sees of the layers before that. Point at a '
      + 'pixel, or tab to a layer and use the arrow keys, Page Up and Page Down; click or Enter pins.'));
}

explorer(JSON.parse(document.getElementById('data').textContent));
