// What was measured on labelled images or texts: scores, confusions, how it was learned, and the
// mistakes, each of which opens below. A mistake has a picture or a text.

const CHART = { width: 340, height: 150, left: 44, bottom: 22, top: 8, right: 8 };

function reportOf(report, open) {
  const mistakes = element('div', { class: 'mistakes' });
  const heading = element('h2', {});
  function list(pair = null) {
    const shown = report.mistakes.filter(({ target, predicted }) =>
      !pair || (target === pair[0] && predicted === pair[1]));
    const of = pair ? ` of ${report.classes[pair[0]].label} taken for ${report.classes[pair[1]].label}`
      : '';
    heading.textContent = `${counted(shown.length, 'mistake')}${of}, the surest first`;
    mistakes.replaceChildren(...shown.map((mistake) => mistakeCard(report, mistake, open)),
      ...(pair ? [element('button', { type: 'button', onclick: () => list() }, 'All mistakes')] : []));
  }
  list();
  const total = report.wrong > report.mistakes.length
    ? element('p', { class: 'note' }, `Of ${report.wrong} mistakes in all, the surest stand here.`)
    : null;
  return element('section', { class: 'report', 'aria-label': 'What was measured' },
    element('div', { class: 'figures' }, ...report.figures.map(([value, words]) =>
      element('p', {}, element('b', {}, value), ` ${words}`))),
    element('div', { class: 'panels' },
      element('div', { class: 'unit' }, element('h2', {}, 'What is taken for what'),
        confusionTable(report, list)),
      element('div', { class: 'unit' }, element('h2', {}, 'Each class'), classTable(report)),
      report.history.length > 1 ? element('div', { class: 'unit' },
        element('h2', {}, 'How it learned'),
        chart(report.history, 'loss', ['loss', 'validation_loss'], number),
        chart(report.history, 'accuracy', ['accuracy', 'validation_accuracy'], percent)) : null),
    element('div', { class: 'unit' }, heading, mistakes, total));
}

function mistakeCard(report, { input, target, predicted, probability, picture, text }, open) {
  const [label, taken] = [report.classes[target].label, report.classes[predicted].label];
  return element('button', {
    type: 'button', class: 'card', onclick: () => open(input),
    'aria-label': `${label}, taken for ${taken} with ${percent(probability)}: open`,
  }, picture ? picture() : element('q', {}, text), element('span', {}, `true: ${label}`), element('span', {}, `taken for: ${taken}`),
  element('span', {}, percent(probability)));
}

// Rows are true classes, columns what they were taken for; a press on one shows those mistakes.
function confusionTable(report, list) {
  const labels = report.classes.map(({ label }) => label);
  const wrong = report.confusion.flatMap((row, i) => row.filter((_, j) => i !== j));
  const most = Math.max(1, ...wrong);
  const table = element('table', { class: 'matrix wide' },
    element('caption', {}, 'A row a true class, a column what it is taken for'),
    element('thead', {}, element('tr', {}, element('td'), ...labels.map((label) =>
      element('th', { scope: 'col' }, label)))));
  const body = table.createTBody();
  report.confusion.forEach((row, i) => body.append(element('tr', {},
    element('th', { scope: 'row' }, labels[i]), ...row.map((count, j) => {
      if (i === j) return element('td', { class: 'right' }, `${count}`);
      if (!count) return element('td', {}, '');
      return element('td', { class: shadeClass(count, most) }, element('button', {
        type: 'button', onclick: () => list([i, j]),
        'aria-label': `${counted(count, report.noun)} of ${labels[i]} taken for ${labels[j]}: show`,
      }, `${count}`));
    }))));
  return table;
}

function classTable(report) {
  const columns = ['precision', 'recall', 'f1', 'support'];
  const shown = (key, value) =>
    (value === null ? '–' : key === 'support' ? `${value}` : value.toFixed(3));
  return element('table', { class: 'terms' }, element('thead', {}, element('tr', {},
    element('td'), ...['precision', 'recall', 'F1', `${report.noun}s`].map((words) =>
      element('th', { scope: 'col' }, words)))),
  element('tbody', {}, ...report.classes.map((each) => element('tr', {},
    element('th', { scope: 'row' }, each.label),
    ...columns.map((key) => element('td', {}, shown(key, each[key])))))));
}

// A line for training and one for validation over the epochs.
function chart(history, title, keys, words) {
  const { width, height, left, bottom, top, right } = CHART;
  const values = history.flatMap((row) => keys.map((key) => row[key]))
    .filter((value) => typeof value === 'number');
  if (!values.length) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (i) => left + (i / (history.length - 1)) * (width - left - right);
  const y = (value) => height - bottom
    - ((value - low) / ((high - low) || 1)) * (height - bottom - top);
  const name = `${title} over ${counted(history.length, 'epoch')}, from ${words(low)} to ${words(high)}`;
  const node = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'chart', role: 'img',
    'aria-label': name });
  const text = (at, words_, anchor) => {
    const found = svg('text', { x: at[0], y: at[1], 'text-anchor': anchor });
    found.textContent = words_;
    node.append(found);
  };
  node.append(svg('path', { class: 'axis',
    d: `M${left} ${top}V${height - bottom}H${width - right}` }));
  text([left - 4, top + 8], words(high), 'end');
  text([left - 4, height - bottom], words(low), 'end');
  text([left, height - 6], '1', 'start');
  text([width - right, height - 6], `epoch ${history.length}`, 'end');
  keys.forEach((key, n) => {
    const points = history.flatMap((row, i) =>
      (typeof row[key] === 'number' ? [`${x(i)},${y(row[key])}`] : []));
    node.append(svg('polyline', { class: n ? 'held-out' : 'learned', points: points.join(' ') }));
  });
  return element('figure', { class: 'curve' }, element('figcaption', {}, element('b', {}, title),
    element('span', { class: 'learned' }, ' — training'),
    element('span', { class: 'held-out' }, ' — held out')), node);
}
