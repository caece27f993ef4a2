// Elements of the page. Attributes that begin with "on" are listeners.

function element(name, attributes = {}, ...children) {
  const found = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) found.addEventListener(key.slice(2), value);
    else if (value === true) found.setAttribute(key, '');
    else if (value !== false && value !== undefined) found.setAttribute(key, value);
  }
  found.append(...children.filter((child) => child !== null && child !== undefined));
  return found;
}

// A choice of one among several, as radio buttons in a group with a name.
function choice(legend, options, chosen, onchoose) {
  const name = `choice-${choice.count = (choice.count ?? 0) + 1}`;
  return element('fieldset', { class: 'choice' }, element('legend', {}, legend),
    ...options.map(([value, words]) => element('label', {},
      element('input', {
        type: 'radio', name, value, checked: value === chosen, onchange: () => onchoose(value),
      }), words)));
}

// A small matrix of numbers, each cell in the colour of its value against the largest.
function matrixTable(caption, values, most, best = null) {
  const table = element('table', { class: 'matrix' }, element('caption', {}, caption));
  const body = table.createTBody();
  values.forEach((row, k) => {
    const line = body.insertRow();
    row.forEach((value, l) => {
      const cell = line.insertCell();
      if (value === null) {
        cell.className = 'padding';
        cell.textContent = '·';
        cell.title = 'padding';
        return;
      }
      cell.textContent = short(value);
      cell.className = shadeClass(value, most);
      if (best && best[0] === k && best[1] === l) cell.classList.add('best');
    });
  });
  return table;
}

// p1 to p8 above 0, n1 to n8 below: the shades of the style sheet.
function shadeClass(value, most) {
  const level = most > 0 ? Math.min(8, Math.round((8 * Math.abs(value)) / most)) : 0;
  return level === 0 ? 'zero' : `${value > 0 ? 'p' : 'n'}${level}`;
}

const MOST_ODDS = 12;

// The likeliest, with their odds; those of a language model write themselves on when pressed.
function oddsList(odds, names, onpress) {
  const ranked = Array.from(odds.keys()).sort((a, b) => odds[b] - odds[a]).slice(0, MOST_ODDS);
  return element('ul', { class: 'odds' }, ...ranked.map((id) => {
    const bar = element('span', { class: 'bar' });
    bar.style.width = `${100 * odds[id]}%`;
    const name = onpress ? element('button', { type: 'button', title: 'Write it on',
      onclick: () => onpress(id) }, names[id]) : element('span', { class: 'name' }, names[id]);
    return element('li', {}, name, element('span', { class: 'track-bar' }, bar),
      element('span', { class: 'share' }, percent(odds[id])));
  }));
}

// What a screen reader says once the place looked at stays for a moment: { node, say(text) }.
function speaker() {
  const node = element('p', { class: 'unseen', role: 'status' });
  let waiting = 0;
  const say = (text) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { node.textContent = text; }, 300);
  };
  return { node, say };
}

function svg(name, attributes) {
  const found = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  return found;
}
