// The page of a network of texts: tokens as columns, what every unit did over time, the answer.

const HEAT = 116; // pixels that the units of a signal stand high, about
const MOST_TOKENS = 300;

function textPage(data) {
  const layers = withArrays(data.layers);
  const encoder = data.joint ? layers.slice(0, data.joint) : layers;
  const decoder = data.joint ? layers.slice(data.joint) : null;
  const isLanguage = data.kind === 'rnn';
  const state = { text: '', parts: [], at: null, isPinned: false };
  const field = element('textarea', {
    rows: 2, spellcheck: 'false', 'aria-label': 'Text', oninput: () => run(field.value),
  });
  const said = element('p', { class: 'note', role: 'status' });
  const lanes = element('div');
  const answer = element('section', { class: 'unit', 'aria-label': 'The answer' });
  const detail = element('div', { class: 'detail' });
  const aloud = speaker();
  const attention = element('section', { class: 'unit attention', 'aria-label': 'Attention' });
  const looking = lookingAt();

  function computed(text) {
    const given = tokenized(text, data.reader);
    const isCut = given.ids.length > MOST_TOKENS;
    const read = isCut ? { ids: given.ids.slice(0, MOST_TOKENS),
      letters: given.letters?.slice(0, MOST_TOKENS), shown: given.shown.slice(0, MOST_TOKENS) }
      : given;
    if (!read.ids.length) return { read, isCut, found: [] };
    const found = runSteps(encoder, read);
    if (!decoder) return { read, isCut, found };
    const begins = beginsOf(encoder, found, decoder);
    const spoken = speak(begins, found.at(-1).y);
    return { read, isCut, found, spoken };
  }

  function speak(begins, keys) {
    const most = Math.min(data.longest, MOST_TOKENS);
    return spokenBy(decoder, begins, keys.shape.length === 2 ? keys : null, data.end, most);
  }

  function run(text) {
    state.text = text;
    const { read, isCut, found, spoken } = computed(text);
    const unknown = data.reader.level === 'byte' ? [] : read.shown.filter((_, t) => read.ids[t] === 0);
    said.textContent = [
      isCut ? `Only the first ${MOST_TOKENS} tokens are shown.` : '',
      unknown.length ? `The model does not know ${[...new Set(unknown)].slice(0, 5).join(', ')}.` : '',
      read.ids.length ? '' : 'Type a text.'].filter(Boolean).join(' ');
    state.parts = [{ title: decoder ? 'What it reads' : 'What it reads, token by token',
      layers: encoder, shown: read.shown, x: read, found, ids: read.ids }];
    if (spoken) {
      state.parts.push({ title: 'What it says, token by token', layers: decoder,
        shown: spoken.ids.map(writtenToken), x: { ids: spoken.given }, found: spoken.found,
        ids: spoken.ids });
    }
    state.tracks = state.parts.flatMap((part, n) => tracksOf(part, n));
    drawLanes();
    drawAttention();
    if (!read.ids.length) { answer.replaceChildren(); detail.replaceChildren(); return; }
    const last = state.tracks.findIndex(({ name }) => name === 'h');
    const at = state.at ?? { track: Math.max(0, last), time: Infinity, unit: 0 };
    select(at);
  }

  function writtenToken(id) {
    return id === data.end ? '(end)' : data.writer.level === 'byte' ? byteShown(id)
      : MARKED.exec(data.writer.tokens[id])?.[1] ?? data.writer.tokens[id];
  }

  // Every signal of every recurrence, in each direction: [T, units].
  function tracksOf(part, order) {
    return part.found.flatMap(({ runs }, index) => (runs ?? []).flatMap((run, direction) =>
      Object.entries(run.signals).map(([name, values]) => ({
        part: order, layer: index, run, end: direction ? '_reverse' : '', name, values,
        owner: `${part.layers[index].name}${direction ? ', backwards' : ''}`,
        title: `${part.layers[index].name}${direction ? ', backwards' : ''}: ${name}`,
      }))));
  }

  function widthOf(part) {
    const longest = Math.max(1, ...part.shown.map((token) => [...tokenShown(token)].length));
    return Math.min(110, Math.max(26, 9 * longest + 12));
  }

  function drawLanes() {
    lanes.replaceChildren(...state.parts.map((part, order) => {
      const width = widthOf(part);
      const header = element('div', { class: 'tokens', 'aria-hidden': 'true' },
        ...part.shown.map((token, time) => {
          const cell = element('span', { onpointerenter: () => over(order, time),
            onclick: () => { state.isPinned = false; over(order, time); } }, tokenShown(token));
          cell.style.width = `${width}px`;
          const note = noteOf(part, order, time);
          if (note) cell.append(element('small', {}, note));
          return cell;
        }));
      part.header = header;
      const rows = state.tracks.filter((track) => track.part === order).flatMap((track, n, all) =>
        [all[n - 1]?.run === track.run ? null : element('h3', {}, track.owner),
          trackRow(track, part, width)]);
      return element('section', { class: 'unit', 'aria-label': part.title },
        element('h2', {}, part.title),
        element('div', { class: 'lane tracks' }, header, ...rows.filter(Boolean)));
    }));
  }

  // What stands below a token: its tag, or how likely it was.
  function noteOf(part, order, time) {
    const y = part.found.at(-1).y;
    if (data.kind === 'tagger') return data.labels[argmax(stepAt(y, time))];
    const share = (step) => `${Math.round(100 * softmax(stepAt(y, step))[part.ids[time]])} %`;
    if (isLanguage && time) return share(time - 1);
    if (order === 1) return share(time);
    return '';
  }

  function trackRow(track, part, width) {
    const [steps, units] = track.values.shape;
    const side = Math.max(1, Math.min(10, Math.round(HEAT / units)));
    const canvas = element('canvas', {
      width: steps, height: units, tabindex: 0, role: 'application',
      'aria-roledescription': 'heat map',
      'aria-label': `${track.title}: ${units} units over ${steps} tokens. Left and right move `
        + 'along the tokens, up and down along the units, Enter pins.',
      onpointermove: (event) => point(event, false), onclick: (event) => point(event, true),
      onfocus: () => { if (!state.isPinned) select({ ...state.at, track: track.number }); },
      onkeydown: (event) => {
        const move = ARROWS[event.key];
        if (move) {
          select({ track: track.number, unit: state.at.unit + move[0],
            time: state.at.time + move[1] });
        } else if (event.key === 'Enter') { state.isPinned = !state.isPinned; select(state.at); }
        else return;
        event.preventDefault();
      },
    });
    canvas.style.width = `${steps * width}px`;
    canvas.style.height = `${units * side}px`;
    Object.assign(track, { canvas, width, side });
    const overlay = svg('svg', { width: steps * width, height: units * side, 'aria-hidden': 'true' });
    track.overlay = overlay;
    track.number = state.tracks.indexOf(track);
    paintTrack(track);
    function point(event, isClick) {
      if (state.isPinned && !isClick) return;
      if (isClick) state.isPinned = !state.isPinned;
      select({ track: track.number, time: Math.floor(event.offsetX / width),
        unit: Math.floor(event.offsetY / side) });
    }
    return element('div', { class: 'signal-row' }, element('span', { class: 'label' }, track.name),
      element('div', { class: 'holder' }, canvas, overlay));
  }

  // Gates from 0 to 1, all else from -1 to 1, but the cell, which has no limits.
  function paintTrack({ canvas, values, name }) {
    const [steps, units] = values.shape;
    const shade = shader(name === 'c' ? Math.max(1, largest(values.data)) : 1);
    const image = new ImageData(steps, units);
    values.data.forEach((value, i) => {
      const at = ((i % units) * steps + Math.floor(i / units)) * 4;
      image.data.set([...shade(value), 255], at);
    });
    canvas.getContext('2d').putImageData(image, 0, 0);
  }

  function over(part, time) {
    if (state.isPinned) return;
    const own = state.tracks[state.at.track];
    const track = own?.part === part ? state.at.track
      : state.tracks.findIndex((each) => each.part === part && each.name === 'h');
    select({ ...state.at, track: Math.max(0, track), time });
  }

  function select({ track, time, unit }) {
    const own = state.tracks[clamped(track, state.tracks.length)];
    const part = state.parts[own?.part ?? 0];
    const [steps, units] = own ? own.values.shape : [part.ids.length, 1];
    state.at = { track: own ? own.number : 0, time: clamped(time, steps), unit: clamped(unit, units) };
    state.tracks.forEach((each) => {
      each.overlay.replaceChildren();
      if (each.part !== own.part) return;
      const [left, height] = [state.at.time * each.width, each.values.shape[1] * each.side];
      each.overlay.append(svg('path', { class: 'reach', d: `M${left} 0h${each.width}v${height}h${-each.width}z` }));
      if (each.layer !== own.layer || each.end !== own.end) return;
      const top = state.at.unit * each.side;
      each.overlay.append(svg('path', { class: 'mark', d: `M${left} ${top}h${each.width}v${each.side}h${-each.width}z` }));
    });
    state.parts.forEach(({ header }, n) => [...header.children].forEach((cell, t) =>
      cell.classList.toggle('chosen', n === (own?.part ?? 0) && t === state.at.time)));
    looking.update();
    answer.replaceChildren(...answerOf(part, own?.part ?? 0));
    detail.replaceChildren(...(own ? unitStory(own, part) : []));
    markAttention(own);
    if (own) {
      const value = own.values.data[state.at.time * units + state.at.unit];
      aloud.say(`${own.title}, unit ${state.at.unit + 1} at ${part.shown[state.at.time]}: `
        + number(value));
    }
  }

  function answerOf(part, order) {
    const { time } = state.at;
    const y = (order === 0 && decoder ? state.parts[1] : part).found.at(-1).y;
    if (data.kind === 'classifier') {
      return [element('h2', {}, 'What it takes the text for'), oddsList(softmax(y.data), data.labels)];
    }
    if (order === 0 && decoder) {
      const text = state.parts[1].ids.filter((id) => id !== data.end).map(writtenToken)
        .join(['char', 'byte'].includes(data.writer.level) ? '' : ' ');
      return [element('h2', {}, 'What it says'), element('p', { class: 'spoken' }, text)];
    }
    const odds = softmax(stepAt(y, time));
    const token = tokenShown(part.shown[time]);
    if (data.kind === 'tagger') {
      return [element('h2', {}, `The tag of “${token}”`), oddsList(odds, data.labels)];
    }
    const names = (decoder ? data.writer : data.reader).tokens.map((each) =>
      (data.reader.level === 'byte' ? byteShown(each.codePointAt(0)) : tokenShown(each)));
    if (decoder) return [element('h2', {}, `Token ${time + 1} of what it says`), oddsList(odds, names)];
    return [element('h2', {}, `What comes behind “${token}”, token ${time + 1}`),
      oddsList(odds, names, addToken)];
  }

  function addToken(id) {
    const token = data.reader.tokens[id];
    const text = data.reader.level === 'word' ? (token === END ? '\n' : ` ${token}`) : token;
    field.value = state.text + text;
    state.at.time = Infinity;
    run(field.value);
  }

  function unitStory(track, part) {
    const layer = part.layers[track.layer];
    const x = track.layer ? part.found[track.layer - 1].y : null;
    const { time, unit } = state.at;
    const token = tokenShown(part.shown[time]);
    const heading = element('h2', {},
      `${layer.name}${track.end ? ', backwards' : ''}: unit ${unit + 1} at “${token}”, token ${time + 1}`);
    if (!x) return [heading];
    const story = cellStory(layer, x, track.run, track.end, time, unit);
    const table = element('table', { class: 'terms' }, element('thead', {}, element('tr', {},
      ...['', 'from the input, with the bias', 'from the state before', 'value'].map((words) =>
        element('th', { scope: 'col' }, words)))),
    element('tbody', {}, ...story.rows.map((row) => element('tr', {},
      element('th', { scope: 'row' }, `${row.name} = ${row.of}(sum)`),
      element('td', {}, number(row.input)), element('td', {}, number(row.hidden)),
      element('td', { class: shadeClass(row.value, 1) }, number(row.value))))));
    const steps = element('dl', { class: 'steps' }, ...story.steps.flatMap(([words, value]) =>
      [element('dt', {}, words), element('dd', {}, number(value))]));
    return [heading, table, steps];
  }

  // Of what is said, a row a token: where it looked in what was read.
  function drawAttention() {
    attention.hidden = true;
    const found = state.parts[1]?.found.filter(({ odds }) => odds).at(-1);
    if (!found) return;
    attention.hidden = false;
    const [read, spoken] = state.parts;
    const table = element('table', { class: 'matrix wide' },
      element('caption', {}, 'How much each token that is said, a row, looked at each that was read'),
      element('thead', {}, element('tr', {}, element('td'), ...read.shown.map((token) =>
        element('th', { scope: 'col' }, tokenShown(token))))));
    const body = table.createTBody();
    found.odds.forEach((shares, t) => {
      body.append(element('tr', { onpointerenter: () => over(1, t), onclick: () => over(1, t) },
        element('th', { scope: 'row' }, tokenShown(spoken.shown[t])),
        ...shares.map((share) => element('td', { class: shadeClass(share, 1) },
          share < 0.005 ? '' : share.toFixed(2)))));
    });
    attention.replaceChildren(element('h2', {}, 'Where it looked'), table);
  }

  function markAttention(track) {
    attention.querySelectorAll('tbody tr').forEach((row, t) =>
      row.classList.toggle('chosen', track?.part === 1 && t === state.at.time));
    const shares = track?.part === 1
      && state.parts[1].found.filter(({ odds }) => odds).at(-1)?.odds[state.at.time];
    [...state.parts[0].header.children].forEach((cell, s) => {
      cell.className = `${cell.classList.contains('chosen') ? 'chosen ' : ''}`
        + (shares ? shadeClass(shares[s], 1) : '');
    });
  }

  function lookingAt() {
    const track = element('select', { onchange: () => select({ ...state.at, track: Number(track.value) }) });
    const [time, unit] = ['time', 'unit'].map((key) => element('input', {
      type: 'number', min: 1, value: 1,
      oninput: (event) => event.target.value !== ''
        && select({ ...state.at, [key]: Number(event.target.value) - 1 }),
    }));
    const pinned = element('input', { type: 'checkbox',
      onchange: () => { state.isPinned = pinned.checked; } });
    const node = element('fieldset', { class: 'looking' }, element('legend', {}, 'Looking at'),
      element('label', {}, 'Signal ', track), element('label', {}, 'Token ', time),
      element('label', {}, 'Unit ', unit), element('label', {}, pinned, ' Pinned'));
    let titles = '';
    function update() {
      const now = state.tracks.map(({ title }) => title).join();
      if (now !== titles) {
        titles = now;
        track.replaceChildren(...state.tracks.map(({ title }, index) =>
          element('option', { value: index }, title)));
      }
      track.value = state.at.track;
      if (document.activeElement !== time) time.value = state.at.time + 1;
      if (document.activeElement !== unit) unit.value = state.at.unit + 1;
      pinned.checked = state.isPinned;
    }
    return { node, update };
  }

  const examples = data.texts.length > 1 ? element('div', { class: 'examples' },
    ...data.texts.map((text) => element('button', { type: 'button',
      onclick: () => { field.value = text; state.at = null; run(text); } },
    text.length > 40 ? `${text.slice(0, 38)}…` : text))) : null;
  const report = data.report ? reportOf({
    ...data.report,
    mistakes: data.report.mistakes.map((mistake) => ({ ...mistake, text: data.texts[mistake.input] })),
  }, (index) => {
    state.at = null;
    field.value = data.texts[index];
    run(field.value);
    field.scrollIntoView({ behavior: 'smooth' });
  }) : null;
  document.getElementById('page').append(
    element('header', {}, element('h1', {}, data.title), element('p', {}, data.facts)),
    ...(report ? [report, element('h2', { class: 'opened' }, 'The network, token by token')] : []),
    element('section', { class: 'unit', 'aria-label': 'The text' },
      element('label', { class: 'typed' }, 'Text ', field), examples, said),
    answer, attention,
    element('div', { class: 'reading' }, lanes,
      element('section', { class: 'unit', 'aria-label': 'The unit looked at' }, looking.node, detail,
        aloud.node)),
    element('footer', {}, element('p', {}, element('span', { class: 'swatch n8' }), ' −1 ',
      element('span', { class: 'swatch zero' }), ' 0 ', element('span', { class: 'swatch p8' }),
      ' 1; a cell state has no limits, and shades by its largest. Point at a token or a unit, or tab '
      + 'to a heat map and use the arrow keys; click or Enter pins.')));
  onShades(() => state.tracks.forEach(paintTrack));
  field.value = data.texts[0] ?? '';
  run(field.value);
  selftest(() => ({
    opened: [...document.querySelectorAll('.card, .report td button')].map((each) => each.click()),
    runs: data.texts.map((text) => {
      const { read, found, spoken } = computed(text);
      const flat = (parts) => parts.map(({ y }) => base64Of(y.data));
      const tracks = found.flatMap(({ runs }) => (runs ?? []).flatMap(({ signals }) =>
        Object.values(signals).map(({ data: values }) => base64Of(values))));
      return { ids: read.ids, outputs: [...flat(found), ...(spoken ? flat(spoken.found) : [])],
        tracks, said: spoken?.ids };
    }),
    moved: state.tracks.map(({ number: track }) => {
      select({ track, time: 1, unit: 2 });
      return detail.textContent.length;
    }),
  }));
}

textPage(JSON.parse(document.getElementById('data').textContent));
