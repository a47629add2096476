// What the demo pages share: texts that follow the language, the head of the page, lists, states, frames.

const LANGUAGES = { en: { name: 'English', tag: 'en' }, zh: { name: '中文', tag: 'zh-CN' } };
const PAGES = ['push', 'feedback', 'conversation', 'chat', 'line'];
const SHOWN = 200;  // entries of a list

let texts = {};

// --- texts ---

/** A text in the person's language; {name} stands for values.name. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) console.error(`there is no text ${key}`);
  return (text ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Puts a text into an element, which then follows the language. */
export function say(node, key, values) {
  node.dataset.text = key;
  if (values) node.dataset.values = JSON.stringify(values);
  else delete node.dataset.values;
  node.textContent = t(key, values);
  return node;
}

/** Takes a text away again. */
export function hush(node) {
  delete node.dataset.text;
  node.textContent = '';
}

/** Fills in what is marked: data-text, data-label (for screen readers), data-hint (in an empty field). */
export function fill(root) {
  for (const node of root.querySelectorAll('[data-text]')) {
    node.textContent = t(node.dataset.text, node.dataset.values && JSON.parse(node.dataset.values));
  }
  for (const node of root.querySelectorAll('[data-label]')) node.setAttribute('aria-label', t(node.dataset.label));
  for (const node of root.querySelectorAll('[data-hint]')) node.placeholder = t(node.dataset.hint);
}

async function use(language) {
  texts = (await import(`./texts/${language}.js`)).default;
  document.documentElement.lang = LANGUAGES[language].tag;
  document.title = t('title', { page: t(`${document.body.dataset.page}.title`) });
  for (const button of document.querySelectorAll('.languages button')) {
    button.setAttribute('aria-pressed', String(button.lang === LANGUAGES[language].tag));
  }
  fill(document);
  document.dispatchEvent(new Event('language'));
}

function wanted() {
  const asked = new URLSearchParams(location.search).get('lang') ?? recall('language');
  if (asked in LANGUAGES) return asked;
  return navigator.language.startsWith('zh') ? 'zh' : 'en';
}

function recall(name) {
  try {
    return localStorage.getItem(`demo.${name}`);
  } catch {
    return null;  // a browser that keeps nothing
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(`demo.${name}`, value);
  } catch {
    // Then it is asked again.
  }
}

// --- building ---

export const $ = (selector, root = document) => root.querySelector(selector);

/** An element; text goes in as text, never as markup. */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** The same with a text that follows the language. */
export const worded = (tag, className, key, values) => say(element(tag, className), key, values);

/** A copy of a template, its texts filled in. */
export function copyOf(id) {
  const copy = document.getElementById(id).content.firstElementChild.cloneNode(true);
  fill(copy);
  commands(copy);
  return copy;
}

/** Appends to a list that stays at its end if it is there, and keeps its newest entries. */
export function append(list, item, shown = SHOWN) {
  list.querySelector('.empty')?.remove();
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  while (list.childElementCount > shown) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
  return item;
}

export function note(list, key, values, bad = false) {
  return append(list, worded('li', bad ? 'note bad' : 'note', key, values));
}

/** A message with a name, a time and a mark for what became of it. */
export function bubble(list, { from, content, time, mine }) {
  const item = element('li', mine ? 'message mine' : 'message');
  const head = element('div', 'head', element('span', 'from', from));
  if (time) head.append(element('span', 'time', new Date(time).toLocaleTimeString()));
  head.append(element('span', 'mark'));
  item.append(head, element('div', 'body', content));
  return append(list, item);
}

/** Command lines to run in a terminal, each with a button that copies it. */
function commands(root) {
  for (const node of root.querySelectorAll('[data-command]')) command(node, node.dataset.command);
}

export function command(node, line) {
  node.classList.add('command');
  const button = worded('button', '', 'copy');
  button.type = 'button';
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(line);
      say(button, 'copied');
    } catch {
      getSelection().selectAllChildren(node.firstElementChild);
    }
  });
  node.replaceChildren(element('code', '', line), button);
}

// --- connections ---

const STATES = { idle: 'off', connecting: 'wait', open: 'on', waiting: 'wait', closed: 'off' };
const TRIES = 3;

/**
 * Shows what a connection of the client library does: its state in `.state`, its frames in `.frames`. A browser does not
 * tell why a handshake failed; after a few that did, `refused` may show how to get in.
 */
export function follow(client, panel, refused = () => {}) {
  const state = $('.state', panel);
  const frames = $('.frames ol', panel);
  let failed = 0;
  let wasOpen = false;
  const show = (name) => {
    state.dataset.state = STATES[name];
    say(state, `state.${name === 'connecting' && wasOpen ? 'waiting' : name}`);
    panel.dataset.connection = name;
  };
  client.on('$state', (name) => {
    if (name === 'open') {
      wasOpen = true;
      failed = 0;
    } else if (name === 'waiting' && ++failed === TRIES && !wasOpen) refused();
    show(name);
    for (const button of panel.querySelectorAll('[data-needs-connection]')) button.disabled = name !== 'open';
  });
  client.on('$stop', ({ code, status }) => {
    state.dataset.state = 'bad';
    say(state, 'state.stopped', { code: status ?? code });
    refused();
  });
  client.on('$error', ({ code, message }) => logFrame(frames, `${code ?? ''} ${message}`, 'bad'));
  client.on('$frame', (text, sent) => logFrame(frames, text, sent ? 'out' : ''));
  show(client.state);
}

function logFrame(list, text, className) {
  // A token is for the server alone.
  append(list, element('li', className, text.replace(/"token":"[^"]*"/, '"token":"…"')));
}

// --- the head of the page ---

function head() {
  const page = document.body.dataset.page;
  const icon = element('img');
  Object.assign(icon, { src: '../icon.svg', alt: '', width: 24, height: 24 });
  const home = element('a', 'home', icon, 'Carillon');
  home.href = './';
  const nav = element('nav');
  nav.dataset.label = 'pages';
  for (const name of PAGES) {
    const link = worded('a', '', `${name}.short`);
    link.href = `${name}.html`;
    if (name === page) link.setAttribute('aria-current', 'page');
    nav.append(link);
  }
  const languages = element('div', 'languages');
  languages.setAttribute('role', 'group');
  languages.dataset.label = 'language';
  for (const [code, { name, tag }] of Object.entries(LANGUAGES)) {
    const button = element('button', '', name);
    Object.assign(button, { type: 'button', lang: tag });
    button.addEventListener('click', () => {
      remember('language', code);
      use(code);
    });
    languages.append(button);
  }
  $('body > header').append(home, nav, languages);
}

const first = wanted();
texts = (await import(`./texts/${first}.js`)).default;
head();
commands(document);
await use(first);
