// Against real nodes; JsClientIT starts them and says where they are.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { client as directory } from './support.js';
import { until } from './wire.js';

const { Carillon } = await import(new URL('carillon.js', directory));

const [node1, node2] = process.env.CARILLON_NODE_URLS.split(',');
const fast = { minDelay: 10, maxDelay: 50, fallbackAfter: 2, webSocketRetry: 100 };
const base64 = (text) => Buffer.from(text).toString('base64url');
const token = (user, seconds = 3600) => {
  const signed = `${base64('{"alg":"HS256"}')}.${base64(JSON.stringify({ sub: user, exp: Math.floor(Date.now() / 1000) + seconds }))}`;
  return `${signed}.${createHmac('sha256', process.env.CARILLON_JWT_SECRET).update(signed).digest('base64url')}`;
};
const api = async (method, path, body) => {
  const response = await fetch(node1 + path, { method, headers: { 'X-API-Key': process.env.CARILLON_API_KEY, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
};

let users = 0;
const name = () => `js${process.pid}-${++users}`;
const open = [];
afterEach(() => open.splice(0).forEach((client) => client.disconnect()));

function made(user, options = {}) {
  const client = new Carillon({ url: `${options.node ?? node1}/api/ws/connect`, token: token(user), ...fast, ...options });
  client.seen = [];
  client.gaps = [];
  client.errors = [];
  client.on('*', ({ content }) => { client.seen.push(content); });
  client.on('$gap', (...what) => client.gaps.push(what));
  client.on('$error', (error) => client.errors.push(error.message));
  open.push(client);
  return client;
}
async function connected(user, options) {
  const client = made(user, options);
  await client.connect();
  return client;
}
const counted = (n, from = 1) => Array.from({ length: n }, (_, i) => from + i);
const code = (promise) => promise.then(() => 'resolved', (error) => error.code);

test('two users on two nodes talk; rooms, presence and history answer', async () => {
  const [a, b] = [name(), name()];
  const room = name();
  const ada = await connected(a);
  const ben = await connected(b, { node: node2 });
  assert.equal(ada.user, a);
  const { id, offset, epoch } = await ada.send({ to: b, content: 'hello' });
  assert.ok(id && offset > 0 && epoch);
  await until('hello', () => ben.seen.includes('hello'));
  assert.equal(await code(ada.send({ room, content: 1 })), 'not_in_room');
  await ada.join(room);
  assert.equal((await ben.join(room)).members, 2);
  assert.deepEqual((await ada.presence(room)).users.sort(), [a, b].sort());
  await ada.send({ room, type: 'poke', content: 2 });
  await until('poke', () => ben.seen.includes(2));
  assert.deepEqual((await ben.history(`room:${room}`)).events.map(({ content }) => content), [2]);
  await ada.leave(room);
  // The answer to a leave does not wait for Redis to know of it.
  await until('one to be left', async () => (await ben.presence(room)).count === 1);
  assert.deepEqual(ada.seen, []);
  assert.deepEqual(ada.errors, []);
});

test('more than the server takes a second is paced, in order, and nothing is refused', async () => {
  const [a, b] = [name(), name()];
  const ada = await connected(a);
  const ben = await connected(b, { node: node2 });
  await Promise.all(counted(90).map((i) => ada.send({ to: b, content: i })));
  await until('all', () => ben.seen.length === 90);
  assert.deepEqual(ben.seen, counted(90));
  assert.deepEqual(ada.errors, []);
});

test('what came meanwhile is brought by the resume, and the own messages are not', async () => {
  const [a, b] = [name(), name()];
  const room = name();
  const ada = await connected(a);
  const ben = await connected(b, { node: node2 });
  await ada.join(room);
  await ben.join(room);
  await ada.send({ to: b, content: 'mine' });
  ada.redial(1006, 'test');
  const queued = ada.send({ room, content: 'from the queue' });
  await ben.send({ to: a, content: 1 });
  await ben.send({ room, content: 2 });
  await queued;
  await until('both', () => ada.seen.length >= 2);
  await ben.send({ to: a, content: 3 });
  await until('the last', () => ada.seen.includes(3));
  assert.deepEqual(ada.seen.toSorted(), [1, 2, 3]);
  assert.deepEqual(ben.seen, ['mine', 'from the queue']);
  assert.deepEqual(ada.gaps, []);
});

test('a history that ended is a gap', async () => {
  const user = name();
  const ada = await connected(user);
  await api('POST', '/api/ws/send', { type: 'x', to: user, content: 0 });
  await until('the first', () => ada.seen.length === 1);
  ada.disconnect();
  for (let i = 0; i < 3; i++) await Promise.all(counted(100).map((n) => api('POST', '/api/ws/send', { type: 'x', to: user, content: n })));
  await ada.connect();
  await until('the gap', () => ada.gaps.length === 1);
  assert.equal(ada.gaps[0][0], `user:${user}`);
  await api('POST', '/api/ws/send', { type: 'x', to: user, content: 'after' });
  await until('what came after', () => ada.seen.includes('after'));
});

test('an event is acknowledged after its handler, and one that failed comes again', async () => {
  const user = name();
  const ada = await connected(user);
  let calls = 0;
  ada.on('order', async () => { if (++calls === 1) throw new Error('once'); });
  const { id } = await api('POST', '/api/ws/send', { type: 'order', to: user, content: 1, ack: true });
  await until('the acknowledgement', async () => (await api('GET', `/api/ws/acks/${id}?user=${user}`)).state === 'acknowledged', 20_000);
  assert.equal(calls, 2);
});

test('a token is refreshed before it ends', async () => {
  const user = name();
  let fresh = 0;
  const ada = made(user, { token: ({ expired }) => (expired ? (fresh++, token(user)) : token(user, 20)) });
  const refreshed = new Promise((resolve) => { ada.once('refreshed', resolve); });
  await ada.connect();
  const { exp } = await refreshed;
  assert.ok(exp > Date.now() / 1000 + 3000);
  assert.equal(fresh, 1);
  assert.equal(ada.state, 'open');
});

test('a token that is refused: a fresh one, or the end', async () => {
  const user = name();
  const ada = made(user, { token: ({ expired }) => token(user, expired ? 3600 : -3600) });
  await ada.connect();
  assert.equal(ada.user, user);
  const ben = made(user, { token: token(user, -3600) });
  assert.equal(await code(ben.connect()), 'closed');
  assert.equal(ben.state, 'closed');
});

test('without WebSocket by server-sent events, from node to node, each event once', async () => {
  const user = name();
  const room = name();
  const ada = made(user, { WebSocket: null });
  await ada.connect();
  assert.equal(ada.transport, 'sse');
  ada.join(room);
  await until('the stream with the room', () => ada.isOpen);
  await api('POST', '/api/ws/send', { type: 'x', to: user, content: 1 });
  await api('POST', `/api/ws/rooms/${room}/broadcast`, { type: 'x', content: 2 });
  await until('both', () => ada.seen.length === 2);
  ada.options.url = `${node2}/api/ws/connect`;
  ada.redial(1006, 'test');
  await api('POST', '/api/ws/send', { type: 'x', to: user, content: 3 });
  await until('the third', () => ada.seen.length === 3);
  assert.deepEqual(ada.seen.toSorted(), [1, 2, 3]);
  assert.equal(await code(ada.send({ type: 'typing', to: user })), 'offline');
  await api('DELETE', `/api/ws/users/${user}`);
  await until('the end', () => ada.state === 'closed');
});

test('from WebSocket to events and back: nothing is lost, nothing comes twice, what was queued is sent', async () => {
  const [a, b] = [name(), name()];
  let works = true;
  class Sometimes {
    constructor(...what) {
      if (works) return new WebSocket(...what);
      setTimeout(() => this.onclose({ code: 1006, reason: '' }), 1);
    }
    close() {}
  }
  const ada = await connected(a, { WebSocket: Sometimes });
  const ben = await connected(b, { node: node2 });
  const say = (content) => api('POST', '/api/ws/send', { type: 'x', to: a, content });
  await say(1);
  await until('the first', () => ada.seen.length === 1);
  works = false;
  ada.redial(1006, 'test');
  await say(2);
  const queued = ada.send({ to: b, content: 'waited' });
  await until('a stream', () => ada.isOpen && ada.transport === 'sse');
  await say(3);
  await until('the third', () => ada.seen.includes(3));
  works = true;
  await queued;
  assert.equal(ada.transport, 'websocket');
  await say(4);
  await until('the fourth', () => ada.seen.includes(4));
  assert.deepEqual(ada.seen.toSorted(), [1, 2, 3, 4]);
  assert.deepEqual(ben.seen, ['waited']);
  assert.deepEqual(ada.gaps, []);
});
