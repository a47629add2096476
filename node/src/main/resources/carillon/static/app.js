// One session on the push endpoint: connect, see every frame, send, join rooms, watch who is online.
// Comes back by itself after a lost connection and asks for what it missed.

const LOBBY = 'lobby';
const SHOWN = 300;
const COUNT_EVERY_MS = 5000;

const $ = (id) => document.getElementById(id);
const ui = Object.fromEntries(
  ['state', 'online', 'online-what', 'connect', 'user', 'token', 'api-key', 'connect-button', 'session', 'session-user',
    'session-node', 'session-id', 'join', 'room', 'rooms', 'join-button', 'messages', 'frames', 'show-messages',
    'show-frames', 'send', 'target', 'name', 'name-label', 'text', 'send-button'].map((id) => [id, $(id)]));

let socket = null;
let wanted = false;           // the person wants to be connected
let me = null;                // user id, from the welcome frame
let attempt = 0;
let retry = 0;
let reference = 0;
const rooms = new Set();      // rooms this page is in, kept over a reconnect
const positions = new Map();  // channel -> {epoch, offset} last seen
const pending = new Map();    // ref -> message shown before Redis had it
const own = new Set();        // ids of what this page sent: already shown, should a resume bring it back

// --- connection ---

function connect() {
  const token = ui.token.value.trim();
  const user = ui.user.value.trim();
  const address = new URL('api/ws/connect', location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  if (!token) address.searchParams.set('user_id', user);
  state('wait', attempt ? 'Reconnecting…' : 'Connecting…');
  // The token goes in as a subprotocol: it is then in no address and in no log.
  const ws = token ? new WebSocket(address, ['bearer', token]) : new WebSocket(address);
  socket = ws;
  ws.addEventListener('message', ({ data }) => { if (socket === ws) receive(data); });
  ws.addEventListener('close', (event) => { if (socket === ws) closed(event); });
}

function disconnect() {
  wanted = false;
  clearTimeout(retry);
  const ws = socket;
  socket = null;
  ws?.close(1000);
  rooms.clear();
  positions.clear();
  pending.clear();
  attempt = 0;
  me = null;
  showRooms();
  state('off', 'Not connected');
}

function closed({ code, reason }) {
  socket = null;
  const why = `${code}${reason ? ` ${reason}` : ''}`;
  // 4500 to 4999 say: do not come back. Before the first welcome there is nothing to come back to.
  if (!wanted || !me || (code >= 4500 && code < 5000)) {
    const refused = wanted && !me;
    disconnect();
    state('bad', refused ? 'Refused' : `Closed (${why})`);
    note(refused ? 'The server did not accept the connection. Check the user id or the token.' : `The server closed the connection: ${why}.`, true);
    return;
  }
  attempt += 1;
  const wait = Math.random() * Math.min(10000, 500 * 2 ** attempt);
  state('wait', 'Connection lost, coming back…');
  note(`Connection lost (${why}).`);
  retry = setTimeout(connect, wait);
}

function transmit(frame) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  const text = JSON.stringify(frame);
  socket.send(text);
  logFrame(text, true);
  return true;
}

// --- frames ---

function receive(data) {
  logFrame(data, false);
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    note('A frame came that is not JSON.', true);
    return;
  }
  if (!fresh(frame)) return;
  const handle = handlers[frame.type];
  if (handle) handle(frame);
  else event(frame);
}

// Remembers how far each channel was read. False for an event already seen.
function fresh({ channel, epoch, offset, type }) {
  if (!channel || !epoch || !Number.isInteger(offset) || type === 'history' || type === 'resync') return true;
  const seen = positions.get(channel);
  if (seen?.epoch === epoch && offset <= seen.offset) return false;
  positions.set(channel, { epoch, offset });
  return true;
}

const handlers = {
  welcome(frame) {
    const back = attempt > 0;
    me = frame.user;
    attempt = 0;
    ui['session-user'].textContent = frame.user;
    ui['session-node'].textContent = frame.node;
    ui['session-id'].textContent = frame.session;
    ui['session-id'].title = frame.session;
    state('on', `Connected as ${frame.user}`);
    if (back && positions.size) {
      note(`Back, on node ${frame.node}.`);
      transmit({ type: 'resume', channels: Object.fromEntries(positions) });
    } else {
      positions.clear();
      for (const [channel, position] of Object.entries(frame.channels ?? {})) positions.set(channel, position);
      note(`Connected to node ${frame.node}.`);
    }
    rooms.add(LOBBY);
    for (const room of rooms) transmit({ type: 'join', room });
    showRooms();
    count();
  },
  joined({ room, members, epoch, offset }) {
    const channel = `room:${room}`;
    if (epoch && !positions.has(channel)) positions.set(channel, { epoch, offset });
    if (room === LOBBY) online(members);
    else if (!rooms.has(room)) note(`Joined ${room}: ${members} here.`);
    rooms.add(room);
    showRooms();
  },
  left({ room }) {
    rooms.delete(room);
    positions.delete(`room:${room}`);
    showRooms();
    note(`Left ${room}.`);
  },
  presence({ room, count }) {
    if (room === LOBBY) online(count);
  },
  presence_join({ room, user, count }) {
    if (room === LOBBY) online(count);
    if (user !== me) note(`${user} joined ${room}.`);
  },
  presence_leave({ room, user, count }) {
    if (room === LOBBY) online(count);
    if (user !== me) note(`${user} left ${room}.`);
  },
  sent({ ref, id, self }) {
    pending.get(ref)?.querySelector('.mark').replaceChildren('✓');
    pending.delete(ref);
    if (id) own.add(id);
    if (own.size > SHOWN) own.delete(own.values().next().value);
    // The sender's copy counts as seen, if nothing before it is still on its way.
    const seen = positions.get(`user:${me}`);
    if (self && seen?.epoch === self.epoch && self.offset === seen.offset + 1) positions.set(`user:${me}`, self);
  },
  error({ ref, code, error }) {
    pending.get(ref)?.classList.add('failed');
    pending.delete(ref);
    note(`${error ?? 'Refused'} (${code})`, true);
  },
  resumed({ channels }) {
    for (const [channel, result] of Object.entries(channels ?? {})) {
      if (result.epoch && Number.isInteger(result.offset)) positions.set(channel, { epoch: result.epoch, offset: result.offset });
      if (result.recovered === false) note(`What came on ${channel} meanwhile is no longer kept.`, true);
    }
  },
  resync({ channel, epoch, offset }) {
    positions.set(channel, { epoch, offset });
    note(`Something on ${channel} may be missing.`, true);
  },
  drain() { note('This node is shutting down; the session moves to another one.'); },
  degraded() { note('The node has lost Redis; waiting for it.', true); },
  restored() { note('The node has Redis again.'); },
  token_expiring({ expires_in }) { note(`The token expires in ${expires_in} s.`, true); },
  pong() {},
  refreshed() {},
  history() {},
};

function event(frame) {
  if (own.has(frame.id)) return;
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
  if (!key) {
    transmit({ type: 'presence', room: LOBBY });
    return;
  }
  try {
    const answer = await fetch('api/ws/status?limit=1', { headers: { 'X-API-Key': key } });
    ui.online.textContent = answer.ok ? (await answer.json()).online_count : '–';
    ui['online-what'].textContent = answer.ok ? 'online' : 'online (key refused)';
  } catch {
    ui.online.textContent = '–';
  }
}
setInterval(() => { if (me) count(); }, COUNT_EVERY_MS);

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
  ui['connect-button'].textContent = wanted ? 'Disconnect' : 'Connect';
  ui['connect-button'].classList.toggle('primary', !wanted);
  for (const id of ['user', 'token']) ui[id].disabled = wanted;
  ui.session.hidden = !me;
  if (!me) ui.online.textContent = '–';
}

function showRooms() {
  ui.rooms.replaceChildren(...[...rooms].map((room) => {
    const item = element('li', '', room);
    const leave = element('button', '', '×');
    leave.type = 'button';
    leave.setAttribute('aria-label', `Leave ${room}`);
    leave.addEventListener('click', () => { transmit({ type: 'leave', room }); });
    if (room !== LOBBY) item.append(leave);
    else item.classList.add('lobby');
    return item;
  }));
}

// --- what a person does ---

ui.connect.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  if (wanted) {
    disconnect();
    return;
  }
  if (!ui.user.value.trim() && !ui.token.value.trim()) {
    ui.user.focus();
    return;
  }
  wanted = true;
  connect();
});

ui.join.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const room = ui.room.value.trim();
  if (room && transmit({ type: 'join', room, ref: String(++reference) })) ui.room.value = '';
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
  const ref = String(++reference);
  const frame = { type: 'chat', content, ref };
  if (target === 'user') frame.to = name;
  if (target === 'room') frame.room = name;
  if (!transmit(frame)) return;
  const where = target === 'all' ? 'to everyone' : target === 'room' ? `in ${name}` : `to ${name}`;
  pending.set(ref, message(me, where, content, Date.now(), true));
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
