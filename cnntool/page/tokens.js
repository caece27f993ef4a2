// What a text is cut into, as the model's own reader cuts it.

const SPACE = /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;
const WORD = '[\\p{L}\\p{N}_]';
const MARKS = '\\p{M}\\u200c\\u200d';
const RUN = `${WORD}[\\p{L}\\p{N}_${MARKS}]*`;
const PIECE = new RegExp(`${RUN}(?:(?<!_)['’]${RUN})*|[^\\p{L}\\p{N}_\\s][${MARKS}]*`, 'gu');
const MARKED = new RegExp(`^_?([^\\p{L}\\p{N}_\\s][${MARKS}]*)_?$`, 'u');
const UNKNOWN = '<unk>';
const END = '<eos>';

function split(text) {
  return text.split(SPACE).filter((word) => word !== '');
}

// Words and signs; a sign carries _ on a side where it touches something.
function cut(text) {
  const isWord = (piece) => piece !== undefined && new RegExp(`^${WORD}`, 'u').test(piece);
  return split(text).flatMap((chunk) => {
    const pieces = chunk.match(PIECE) ?? [];
    return pieces.map((piece, n) => (isWord(piece) ? piece
      : `${n ? '_' : ''}${piece}${isWord(pieces[n + 1]) ? '_' : ''}`));
  });
}

// A text as the model takes it: { ids, shown, letters }, the end of it among them.
function tokenized(text, reader) {
  const { form, level, folds } = reader;
  if (form === 'running') return running(text, reader);
  const whole = text.normalize('NFC');
  if (form === 'words') {
    const words = split(whole);
    const known = words.map((word) =>
      (folds ? word.toLowerCase().replace(/\p{Nd}/gu, '0') : word));
    return withLetters(known.map((word) => idOf(word, reader)), words, words, reader);
  }
  const trimmed = stripped(whole);
  if (level === 'byte') {
    const bytes = [...new TextEncoder().encode(trimmed.replaceAll('\n', ' ')), 10];
    return { ids: bytes, shown: [...bytes.slice(0, -1).map(byteShown), '(end)'] };
  }
  const raw = level === 'word' ? cut(trimmed)
    : level === 'symbol' ? split(trimmed) : [...trimmed.replaceAll('\n', ' ')];
  const tokens = level === 'word' && folds ? raw.map((word) => word.toLowerCase()) : raw;
  const end = level === 'char' ? '\n' : END;
  const ids = [...tokens, end].map((token) => idOf(token, reader));
  const bare = level === 'word' ? raw.map((token) => MARKED.exec(token)?.[1] ?? token) : raw;
  return withLetters(ids, [...bare, '(end)'], [...raw, '\n'], reader);
}

// Of a language model: nothing is folded, and a line's end is a token of its own.
function running(text, reader) {
  if (reader.level === 'byte') {
    const bytes = [...new TextEncoder().encode(text)];
    return { ids: bytes, shown: bytes.map(byteShown) };
  }
  const tokens = reader.level === 'word' ? split(text.replaceAll('\n', ` ${END} `)) : [...text];
  return { ids: tokens.map((token) => idOf(token, reader)), shown: tokens };
}

function idOf(token, reader) {
  reader.index ??= new Map(reader.tokens.map((each, id) => [each, id]));
  return reader.index.get(token) ?? 0;
}

function withLetters(ids, shown, words, reader) {
  if (!reader.letters) return { ids, shown };
  const letters = { tokens: reader.letters, index: reader.letterIndex };
  const found = words.map((word) => [...word].map((letter) => idOf(letter, letters)));
  reader.letterIndex = letters.index;
  return { ids, shown, letters: found };
}

// White space at both ends, as Python strips it.
function stripped(text) {
  const space = SPACE.source.slice(0, -1);
  return text.replace(new RegExp(`^${space}+|${space}+$`, 'gu'), '');
}

function byteShown(byte) {
  return byte > 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(16).padStart(2, '0');
}

// A token as a person reads it: white space by its sign.
function tokenShown(token) {
  return { ' ': '␣', '\n': '⏎', '\t': '⇥', [END]: '⏎' }[token] ?? token;
}
