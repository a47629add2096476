// The push console: a client of the library, and a service with an API key.
import { Carillon, newId } from '../client/carillon.js';
import { $, bubble, command, element, follow, hush, note, say, t, worded } from './demo.js';

const LOOK_MS = 2000;  // how often the cluster is asked
const USERS = 20;      // shown of those online

// --- the client ---

const [enter, join, send, events] = ['#enter', '#join', '#send', '#events'].map((id) => $(id));
let client = null;
let leftAt = 0;
let backAt = 0;

function start(options) {
  client?.disconnect();
  client = new Carillon(options);
  backAt = 0;
  follow(client, $('#client'), () => { $('details', enter).open = true; });
  client.on('$state', (state) => {
    if (state === 'waiting') leftAt ||= Date.now();
    if (state === 'open' && leftAt) {
      backAt = Date.now();
      note(events, 'push.back', { seconds: Math.max(1, Math.round((backAt - leftAt) / 1000)) });
    }
  });
  client.on('welcome', ({ user, node }) => {
    say($('#where'), 'push.where', { user, node });
    showRooms();
  });
  client.on('joined', showRooms);
  client.on('left', showRooms);
  client.on('presence_join', ({ room, user, count }) => note(events, 'push.came', { user, room, count }));
  client.on('presence_leave', ({ room, user, count }) => note(events, 'push.went', { user, room, count }));
  client.on('$gap', (channel) => note(events, 'push.gap', { channel }, true));
  client.on('drain', () => note(events, 'notice.drain'));
  client.on('degraded', () => note(events, 'notice.degraded', {}, true));
  client.on('restored', () => note(events, 'notice.restored'));
  client.on('*', show);
  client.connect().catch(() => {});
  $('#away').hidden = false;
  say($('#away'), 'push.away');
}

// What was published while this client was away came later than it was said.
function show({ type, from, from_name: name, to, room, content, timestamp, offset }) {
  const who = name ?? from ?? '⚙';
  const item = bubble(events, {
    from: who, content: typeof content === 'string' ? content : JSON.stringify(content), time: timestamp, mine: from === client.user,
  });
  const where = room ? ['push.in', { room }] : to ? ['push.private'] : ['push.everyone'];
  $('.head', item).append(worded('span', '', ...where), element('span', '', type), ...(offset ? [element('span', '', `#${offset}`)] : []));
  if (leftAt && timestamp >= leftAt && (!backAt || timestamp < backAt)) $('.head', item).append(worded('span', 'badge twice', 'push.missed'));
  if (from === undefined) item.classList.add('by-second');
}

function showRooms() {
  $('#rooms').replaceChildren(...client.rooms.map((room) => {
    const who = element('button', '', room);
    who.type = 'button';
    who.addEventListener('click', async () => {
      try {
        const { count, users } = await client.presence(room);
        note(events, 'push.here', { room, count, users: users.slice(0, USERS).join(', ') });
      } catch (error) {
        problem(error);
      }
    });
    const leave = element('button', '', '×');
    leave.type = 'button';
    leave.setAttribute('aria-label', t('push.leave', { room }));
    leave.addEventListener('click', () => client.leave(room).then(showRooms, problem));
    return element('li', '', who, leave);
  }));
}

function problem({ code, message }) { note(events, 'problem', { status: code, error: message }, true); }

function target({ elements: { kind, name } }) {
  return kind.value === 'broadcast' ? {} : { [kind.value === 'room' ? 'room' : 'to']: name.value.trim() };
}

enter.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const token = enter.token.value.trim();
  leftAt = 0;
  start(token ? { token } : { userId: enter.user.value.trim() });
});

// Its positions are kept, so on coming back it asks for what it missed.
$('#away').addEventListener('click', () => {
  if (client.state === 'closed') {
    say($('#away'), 'push.away');
    client.connect().catch(() => {});
  } else {
    leftAt = Date.now();
    backAt = 0;
    client.disconnect();
    say($('#away'), 'push.return');
    note(events, 'push.left');
  }
});

join.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const room = join.room.value.trim();
  if (room) client.join(room).then(showRooms, problem);
});

send.addEventListener('submit', async (submitted) => {
  submitted.preventDefault();
  if (!client) return enter.user.focus();
  const message = { ...target(send), type: send.type.value.trim(), content: send.content.value };
  send.content.value = '';
  const item = bubble(events, { from: client.user ?? '', content: message.content, time: Date.now(), mine: true });
  const where = message.room ? ['push.in', { room: message.room }] : message.to ? ['push.for', { user: message.to }] : ['push.everyone'];
  $('.head', item).append(worded('span', '', ...where), element('span', '', message.type));
  $('.mark', item).textContent = '…';
  try {
    const { offset } = await client.send(message);
    $('.mark', item).textContent = offset ? `✓ #${offset}` : '✓';
  } catch (error) {
    item.classList.add('failed');
    $('.mark', item).textContent = '✗';
    problem(error);
  }
});

// --- the service ---

const publish = $('#publish');
let key = '';

async function api(path, body, headers = {}) {
  const response = await fetch(path, {
    method: body ? 'POST' : 'GET',
    headers: { 'X-API-Key': key, ...(body && { 'Content-Type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { code: response.status });
  return answer;
}

/** The call for what stands in the form; null where the content is no JSON. */
function call() {
  const { room, ...to } = target(publish);
  let content;
  try {
    content = JSON.parse(publish.content.value);
  } catch {
    return null;
  }
  const path = room === undefined ? `/api/ws/${to.to === undefined ? 'broadcast' : 'send'}` : `/api/ws/rooms/${encodeURIComponent(room)}/broadcast`;
  return { path, body: { type: publish.type.value.trim(), ...to, content, durable: publish.durable.checked } };
}

function curl() {
  const { path, body } = call() ?? { path: '/api/ws/broadcast', body: {} };
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  command($('.curl', publish), `(. .carillon/env; printf 'X-API-Key: %s' "$CARILLON_API_KEY" | curl -H @- -H 'Content-Type: application/json' -d '${json}' "$CARILLON_URL${path}")`);
}

for (const form of [send, publish]) {
  form.kind.addEventListener('change', () => {
    // form.name would be the form's own.
    const { name } = form.elements;
    name.closest('label').hidden = form.kind.value === 'broadcast';
    name.value = form.kind.value === 'room' ? 'garden' : form === send ? 'u2' : 'u1';
  });
}
publish.addEventListener('input', curl);
publish.addEventListener('change', curl);
curl();

publish.addEventListener('submit', async (submitted) => {
  submitted.preventDefault();
  const { path, body } = call() ?? {};
  if (!path) return say($('#published'), 'push.json.bad');
  try {
    const { id, offset, online } = await api(path, body, { 'Idempotency-Key': newId() });
    say($('#published'), online === false ? 'push.published.away' : 'push.published', { id, offset: offset ?? '–' });
  } catch ({ code, message }) {
    say($('#published'), 'problem', { status: code ?? '', error: message });
  }
});

$('#key').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  key = submitted.target.key.value.trim();
  hush($('#key-problem'));
  look();
});

async function look() {
  if (!key) return;
  try {
    const [status, { nodes }] = await Promise.all([api('/api/ws/status'), api('/api/ws/nodes')]);
    say($('#status'), 'push.cluster.now', { online: status.online_count, connections: status.connections, nodes: nodes.length });
    $('#nodes').replaceChildren(...nodes.map(({ id, address, port, state, connections }) => element('tr', '',
      element('td', '', `${id} · ${address}:${port}`), element('td', '', worded('span', `badge ${state}`, `push.node.${state === 'up' ? 'up' : 'draining'}`)),
      element('td', 'number', String(connections)))));
    $('#online').replaceChildren(...status.online_users.slice(0, USERS).map((user) => element('li', '', user, ' ')));
    $('#cluster .table').hidden = false;
    for (const button of document.querySelectorAll('[data-needs-key]')) button.disabled = false;
  } catch ({ code, message }) {
    say($('#key-problem'), 'problem', { status: code ?? '', error: message });
    if (code === 401) key = '';
  }
}
setInterval(look, LOOK_MS);
