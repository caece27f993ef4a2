// The page of a one-dimensional convolution: every sum, forward and back, as numbers are changed.

function signalPage(data) {
  const state = {
    x: data.signal, w: data.kernel, stride: data.stride, dilation: data.dilation,
    padding: data.padding, dy: null, at: { kind: 'y', index: 0 },
  };
  const tables = element('div', { class: 'signal' });
  const detail = element('div', { class: 'detail', role: 'status' });
  const said = element('p', { class: 'note', role: 'status' });

  function computed() {
    const axis = planned(state.x.length, state.w.length, state);
    const reads = readsOf(axis, 'constant').map((window) => window.map(({ source }) => source));
    const dy = reads.map((_, i) => state.dy?.[i] ?? 1);
    const at = (j) => (j === CONSTANT ? 0 : state.x[j]);
    const y = reads.map((window) => window.reduce((sum, j, k) => sum + state.w[k] * at(j), 0));
    const dw = state.w.map((_, k) => reads.reduce((sum, window, i) => sum + dy[i] * at(window[k]), 0));
    const dx = state.x.map((_, j) => reads.reduce((sum, window, i) =>
      window.reduce((all, from, k) => all + (from === j ? dy[i] * state.w[k] : 0), sum), 0));
    return { axis, reads, y, dy, dw, dx };
  }

  function redraw() {
    const found = computed();
    if (found.axis.count < 1) {
      said.textContent = 'The kernel does not fit: less dilation, or more padding.';
      return;
    }
    said.textContent = '';
    const { kind, index } = state.at;
    const length = { y: found.y, dx: state.x, dw: state.w }[kind].length;
    state.at.index = clamped(index, length);
    const marked = marksOf(found);
    tables.replaceChildren(
      row('x', 'signal', state.x, marked.x, (i, value) => { state.x[i] = value; }),
      row('w', 'kernel', state.w, marked.w, (i, value) => { state.w[i] = value; }),
      row('y', 'result', found.y, marked.y, null, 'y'),
      row('dL/dy', 'what comes back', found.dy, marked.dy, (i, value) => {
        state.dy = found.dy;
        state.dy[i] = value;
      }),
      row('dL/dw', 'gradient of the kernel', found.dw, marked.dw, null, 'dw'),
      row('dL/dx', 'gradient of the signal', found.dx, marked.dx, null, 'dx'));
    detail.replaceChildren(element('h2', {}, marked.title), element('p', {}, marked.sum));
  }

  // What the chosen number is made of, in words and as marks: the places in each row.
  function marksOf({ reads, y, dy, dw, dx }) {
    const { kind, index } = state.at;
    const terms = { x: [], w: [], y: [], dy: [], dw: [], dx: [] };
    const parts = [];
    const add = (first, j) => parts.push(`${factor(first)} · ${j === CONSTANT ? '(0)' : factor(state.x[j])}`);
    if (kind === 'y') {
      reads[index].forEach((j, k) => {
        add(state.w[k], j);
        terms.w.push(k);
        if (j !== CONSTANT) terms.x.push(j);
      });
    } else if (kind === 'dw') {
      reads.forEach((window, i) => {
        add(dy[i], window[index]);
        terms.dy.push(i);
        if (window[index] !== CONSTANT) terms.x.push(window[index]);
      });
    } else {
      reads.forEach((window, i) => window.forEach((j, k) => {
        if (j !== index) return;
        parts.push(`${factor(dy[i])} · ${factor(state.w[k])}`);
        terms.dy.push(i);
        terms.w.push(k);
      }));
    }
    terms[kind].push(index);
    const value = { y, dw, dx }[kind][index];
    const name = { y: 'y', dw: 'dL/dw', dx: 'dL/dx' }[kind];
    const what = {
      y: 'a weight times an input, and so on',
      dw: 'what comes back of each output, times the input that the weight met for it',
      dx: 'what comes back of each output that read it, times the weight that it met',
    }[kind];
    return {
      ...terms,
      title: `${name}[${index}] = ${number(value)}`,
      sum: `${parts.join(' + ') || 'no window reads it'} = ${number(value)}: ${what}.`,
    };
  }

  function row(name, words, values, marked, onchange, kind) {
    const cells = values.map((value, i) => {
      const cell = element('td', { class: marked.includes(i) ? 'best' : undefined });
      if (onchange) {
        cell.append(element('input', {
          type: 'number', step: 'any', value, 'aria-label': `${name}[${i}], ${words}`,
          onchange: (event) => {
            const found = Number(event.target.value);
            if (event.target.value !== '' && Number.isFinite(found)) onchange(i, found);
            redraw();
          },
        }));
      } else {
        cell.append(element('button', {
          type: 'button',
          onpointerenter: () => pick(kind, i),
          onclick: () => pick(kind, i),
          onfocus: () => pick(kind, i),
          'aria-label': `${name}[${i}] is ${number(value)}`,
        }, number(value)));
      }
      return cell;
    });
    return element('table', { class: 'numbers' }, element('caption', {}, element('b', {}, name),
      ` ${words}`), element('tbody', {}, element('tr', {}, ...values.map((_, i) =>
      element('th', { scope: 'col' }, `${i}`))), element('tr', {}, ...cells)));
  }

  function pick(kind, index) {
    if (state.at.kind === kind && state.at.index === index) return;
    state.at = { kind, index };
    const found = computed();
    const marked = marksOf(found);
    const order = ['x', 'w', 'y', 'dy', 'dw', 'dx'];
    tables.querySelectorAll('table').forEach((table, n) => {
      table.querySelectorAll('td').forEach((cell, i) =>
        cell.classList.toggle('best', marked[order[n]].includes(i)));
    });
    detail.replaceChildren(element('h2', {}, marked.title), element('p', {}, marked.sum));
  }

  const setting = (words, key, least, most) => {
    const output = element('output', {}, `${state[key]}`);
    return element('label', { class: 'slider' }, `${words} `, element('input', {
      type: 'range', min: least, max: most, value: state[key],
      oninput: (event) => {
        state[key] = Number(event.target.value);
        output.textContent = event.target.value;
        state.dy = null;
        redraw();
      },
    }), output);
  };
  const padding = element('select', {
    onchange: () => { state.padding = padding.value; state.dy = null; redraw(); },
  }, ...['valid', 'same', 'full'].map((value) =>
    element('option', { value, selected: value === data.padding }, value)));
  document.getElementById('page').append(
    element('header', {}, element('h1', {}, data.title), element('p', {}, data.facts)),
    element('section', { class: 'unit', 'aria-label': 'Settings' }, element('div', { class: 'controls' },
      setting('Stride', 'stride', 1, 8), setting('Dilation', 'dilation', 1, 8),
      element('label', {}, 'Padding ', padding)), said),
    element('section', { class: 'unit', 'aria-label': 'The numbers' }, detail, tables),
    element('footer', {}, element('p', {}, 'Point at a number of y, dL/dw or dL/dx, or tab to it: '
      + 'what it is the sum of is marked. The numbers in fields can be changed.')));
  redraw();
  selftest(() => {
    const { y, dw, dx } = computed();
    return { y, dw, dx };
  });
}

signalPage(JSON.parse(document.getElementById('data').textContent));
