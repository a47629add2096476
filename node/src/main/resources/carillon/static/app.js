// One session on the push endpoint: connect, see every frame, send, join rooms, watch who is online.
// The client library comes back by itself after a lost connection and asks for what was missed.
import { Carillon } from './client/carillon.js';

const LOBBY = 'lobby';
const SHOWN = 300;
const COUNT_EVERY_MS = 5000;

const $ = (id) => document.getElementById(id);
const ui = Object.fromEntries(
  ['state', 'online', 'online-what', 'connect', 'user', 'token', 'api-key', 'connect-button', 'session', 'session-user',
    'session-node', 'session-id', 'join', 'room', 'rooms', 'join-button', 'messages', 'frames', 'show-messages',
    'show-frames', 'send', 'target', 'name', 'name-label', 'text', 'send-button'].map((id) => [id, $(id)]));

let client = null;
let me = null;                // user id, from the welcome frame

// --- connection ---

function connect() {
  const token = ui.token.value.trim();
  const user = ui.user.value.trim();
  client = new Carillon(token ? { token, fallback: false } : { userId: user, fallback: false });
  client.on('$state', connection);
  client.on('$frame', logFrame);
  client.on('$error', (error) => note(`${error.message} (${error.code})`, true));
  client.on('$gap', (channel, position, why) => {
    note(why === 'resync' ? `Something on ${channel} may be missing.` : `What came on ${channel} meanwhile is no longer kept.`, true);
  });
  client.on('*', event);
  for (const [type, handler] of Object.entries(notices)) client.on(type, handler);
  client.connect();
  join(LOBBY);
}

function disconnect() {
  const ended = client;
  client = me = null;
  ended?.disconnect();
  showRooms();
  state('off', 'Not connected');
}

function connection(now, why) {
  if (!client) return;
  const reason = why && `${why.code ?? why.status}${why.reason ? ` ${why.reason}` : ''}`;
  if (now === 'open') return; // the welcome says as whom
  if (now === 'connecting') state('wait', me ? 'Reconnecting…' : 'Connecting…');
  else if (now === 'waiting' && me) {
    state('wait', 'Connection lost, coming back…');
    note(`Connection lost (${reason}).`);
  } else {
    // Before the first welcome there is nothing to come back to.
    const refused = !me;
    disconnect();
    state('bad', refused ? 'Refused' : `Closed (${reason})`);
    note(refused ? 'The server did not accept the connection. Check the user id or the token.' : `The server closed the connection: ${reason}.`, true);
  }
}

async function join(room) {
  try {
    const { members } = await client.join(room);
    if (room === LOBBY) online(members);
    else note(`Joined ${room}: ${members} here.`);
  } catch (error) {
    if (error.code !== 'closed') note(`${error.message} (${error.code})`, true);
  }
  showRooms();
}

// --- what comes ---

const notices = {
  welcome(frame) {
    note(me ? `Back, on node ${frame.node}.` : `Connected to node ${frame.node}.`);
    me = frame.user;
    ui['session-user'].textContent = frame.user;
    ui['session-node'].textContent = frame.node;
    ui['session-id'].textContent = frame.session;
    ui['session-id'].title = frame.session;
    state('on', `Connected as ${me}`);
    count();
  },
  joined: showRooms,
  left({ room }) {
    showRooms();
    note(`Left ${room}.`);
  },
  presence_join({ room, user, count }) {
    if (room === LOBBY) online(count);
    if (user !== me) note(`${user} joined ${room}.`);
  },
  presence_leave({ room, user, count }) {
    if (room === LOBBY) online(count);
    if (user !== me) note(`${user} left ${room}.`);
  },
  drain() { note('This node is shutting down; the session moves to another one.'); },
  degraded() { note('The node has lost Redis; waiting for it.', true); },
  restored() { note('The node has Redis again.'); },
  token_expiring({ expires_in }) { note(`The token expires in ${expires_in} s.`, true); },
};

function event(frame) {
  const where = frame.room ? `in ${frame.room}` : frame.to ? (frame.from === me ? `to ${frame.to}` : 'to you') : 'to everyone';
  message(frame.from_name ?? frame.from ?? 'a service', `${frame.type === 'chat' ? '' : `${frame.type} `}${where}`,
    frame.content, frame.timestamp, frame.from === me);
}

// --- who is online ---

// Without an API key this is how many users are in the lobby, which every page joins; with one it is all of the namespace.
function online(number) {
  if (ui['api-key'].value) return;
  ui.online.textContent = number;
  ui['online-what'].textContent = 'in the lobby';
}

async function count() {
  const key = ui['api-key'].value.trim();
  try {
    if (!key) {
      if (client.isOpen) online((await client.presence(LOBBY)).count);
      return;
    }
    const answer = await fetch('api/ws/status?limit=1', { headers: { 'X-API-Key': key } });
    ui.online.textContent = answer.ok ? (await answer.json()).online_count : '–';
    ui['online-what'].textContent = answer.ok ? 'online' : 'online (key refused)';
  } catch {
    ui.online.textContent = '–';
  }
}
setInterval(() => { if (client && me) count(); }, COUNT_EVERY_MS);

// --- what is shown: text only, never markup ---

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function append(list, item) {
  list.querySelector('.empty')?.remove();
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  while (list.childElementCount > SHOWN) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function note(text, bad = false) {
  append(ui.messages, element('li', bad ? 'note bad' : 'note', text));
}

function message(from, where, content, timestamp, mine) {
  const item = element('li', mine ? 'message mine' : 'message');
  const head = element('div', 'head');
  head.append(element('span', 'from', from), element('span', '', where),
    element('span', '', new Date(timestamp ?? Date.now()).toLocaleTimeString()), element('span', 'mark'));
  item.append(head, element('div', 'body', typeof content === 'string' ? content : JSON.stringify(content)));
  append(ui.messages, item);
  return item;
}

function logFrame(text, out) {
  append(ui.frames, element('li', out ? 'out' : '', text));
}

function state(name, text) {
  ui.state.dataset.state = name;
  ui.state.textContent = text;
  const on = name === 'on';
  ui['join-button'].disabled = !on;
  ui['send-button'].disabled = !on;
  ui['connect-button'].textContent = client ? 'Disconnect' : 'Connect';
  ui['connect-button'].classList.toggle('primary', !client);
  for (const id of ['user', 'token']) ui[id].disabled = client !== null;
  ui.session.hidden = !me;
  if (!me) ui.online.textContent = '–';
}

function showRooms() {
  ui.rooms.replaceChildren(...(me ? client.rooms : []).map((room) => {
    const item = element('li', '', room);
    const leave = element('button', '', '×');
    leave.type = 'button';
    leave.setAttribute('aria-label', `Leave ${room}`);
    leave.addEventListener('click', () => { client.leave(room); });
    if (room !== LOBBY) item.append(leave);
    else item.classList.add('lobby');
    return item;
  }));
}

// --- what a person does ---

ui.connect.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  if (client) {
    disconnect();
    return;
  }
  if (!ui.user.value.trim() && !ui.token.value.trim()) {
    ui.user.focus();
    return;
  }
  connect();
});

ui.join.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const room = ui.room.value.trim();
  if (!room || !client) return;
  join(room);
  ui.room.value = '';
});

ui.target.addEventListener('change', () => {
  const target = ui.target.value;
  ui['name-label'].hidden = target === 'all';
  ui.name.placeholder = target === 'room' ? LOBBY : 'u2';
});

ui.send.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const content = ui.text.value;
  const target = ui.target.value;
  const name = ui.name.value.trim();
  if (!content || !me) return;
  if (target !== 'all' && !name) {
    ui.name.focus();
    return;
  }
  const where = target === 'all' ? 'to everyone' : target === 'room' ? `in ${name}` : `to ${name}`;
  const shown = message(me, where, content, Date.now(), true);
  const to = target === 'user' ? { to: name } : target === 'room' ? { room: name } : {};
  client.send({ content, ...to }).then(
    () => shown.querySelector('.mark').replaceChildren('✓'),
    ({ code, message: why }) => {
      shown.classList.add('failed');
      note(`${why} (${code})`, true);
    });
  ui.text.value = '';
});

function show(frames) {
  ui.messages.hidden = frames;
  ui.frames.hidden = !frames;
  ui['show-messages'].setAttribute('aria-pressed', String(!frames));
  ui['show-frames'].setAttribute('aria-pressed', String(frames));
  const list = frames ? ui.frames : ui.messages;
  list.scrollTop = list.scrollHeight;
}
ui['show-messages'].addEventListener('click', () => show(false));
ui['show-frames'].addEventListener('click', () => show(true));

// /#u1 fills in the user id.
ui.user.value = decodeURIComponent(location.hash.slice(1));
ui.user.focus();
