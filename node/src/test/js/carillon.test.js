import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { FakeClock, client as directory, sockets, turn } from './support.js';

const { Carillon } = await import(new URL('carillon.js', directory));

let clock, Socket;
beforeEach(() => {
  clock = new FakeClock();
  Socket = sockets();
});

const at = (offset, epoch = 'e') => ({ epoch, offset });
const event = (channel, offset, more = {}) => ({ type: 'chat', id: `${channel}-${offset}`, channel, ...at(offset), content: offset, ...more });

async function made(options = {}) {
  const client = new Carillon({ url: 'http://host/api/ws/connect', userId: 'u1', WebSocket: Socket, fallback: false, clock, ...options });
  client.connect();
  await turn();
  return client;
}

/** A client that is connected, with its user's channel at 10. */
async function connected(options) {
  const client = await made(options);
  Socket.last.welcome({ 'user:u1': at(10), broadcast: at(0) });
  client.seen = [];
  client.on('*', (one) => { client.seen.push(one.content); });
  return client;
}

async function lose(code = 1006) {
  const { length } = Socket.all;
  Socket.last.end(code);
  for (let i = 0; i < 100 && Socket.all.length === length; i++) await clock.advance(100);
}

const code = (promise) => promise.then(() => 'resolved', (error) => error.code);

test('the core is under 8 KB of gzip as it is served', () => {
  assert.ok(gzipSync(readFileSync(new URL('carillon.js', directory)), { level: 9 }).length < 8192);
});

test('no module makes code of text or needs another one of a registry', () => {
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.js'))) {
    const text = readFileSync(new URL(file, directory), 'utf8');
    assert.doesNotMatch(text, /\beval\(|new Function|innerHTML|document\.write/, file);
    for (const [, name] of text.matchAll(/(?:from|import)\s*\(?'([^']+)'/g)) {
      assert.ok(name.startsWith('./') || file === 'vue.js' && name === 'vue', `${file} imports ${name}`);
    }
  }
});

test('a token goes in as a subprotocol and is in no address', async () => {
  await made({ token: 'a.b.c', userId: undefined });
  assert.deepEqual(Socket.last.protocols, ['bearer', 'a.b.c']);
  assert.equal(Socket.last.url, 'ws://host/api/ws/connect');
});

test('a token goes into the address only when asked to, and https becomes wss', async () => {
  await made({ url: 'https://host/x', token: async () => 'a.b.c', tokenIn: 'query', userId: undefined, query: { v: '1' } });
  assert.equal(Socket.last.url, 'wss://host/x?v=1&token=a.b.c');
  assert.deepEqual(Socket.last.protocols, []);
});

test('connect resolves with the welcome, and rejects where the server says never', async () => {
  const client = await made();
  const opened = client.connect();
  Socket.last.welcome();
  await opened;
  assert.equal(client.state, 'open');
  assert.deepEqual([client.session, client.user, client.node], ['s', 'u1', 'n']);
  const other = await made();
  const refused = other.connect();
  Socket.last.end(4501);
  assert.equal(await code(refused), 'closed');
});

test('what was missed comes first, then what came by itself, each once', async () => {
  const client = await connected();
  Socket.last.frame(event('user:u1', 11));
  await lose();
  const socket = Socket.last;
  socket.open();
  assert.deepEqual(socket.sent[0].channels, { 'user:u1': at(11), broadcast: at(0) }, 'resume before the welcome');
  socket.frame({ type: 'welcome', session: 's2', user: 'u1', node: 'm', heartbeat: 25000, channels: { 'user:u1': at(14), broadcast: at(0) } });
  socket.frame(event('user:u1', 15));
  socket.frame(event('user:u1', 12));
  socket.frame(event('user:u1', 13));
  socket.frame(event('user:u1', 14));
  socket.frame(event('user:u1', 12));
  assert.deepEqual(client.seen, [11, 12, 13, 14], '15 waits');
  socket.frame({ type: 'resumed', ref: socket.sent[0].ref, channels: { 'user:u1': { recovered: true, ...at(15) }, broadcast: { recovered: true, ...at(0) } } });
  assert.deepEqual(client.seen, [11, 12, 13, 14, 15]);
  socket.frame(event('user:u1', 15));
  socket.frame(event('user:u1', 16));
  assert.deepEqual(client.seen, [11, 12, 13, 14, 15, 16]);
  assert.deepEqual(client.position('user:u1'), at(16));
});

test('a connection lost in the middle of a resume begins it again where it was', async () => {
  const client = await connected();
  await lose();
  Socket.last.welcome({ 'user:u1': at(13), broadcast: at(0) });
  Socket.last.frame(event('user:u1', 14));
  Socket.last.frame(event('user:u1', 11));
  await lose();
  Socket.last.open();
  assert.deepEqual(Socket.last.sent[0].channels['user:u1'], at(11), 'what waited was not processed');
  assert.deepEqual(client.seen, [11]);
});

test('rooms are joined again by the resume, from where they were', async () => {
  const client = await connected();
  const joined = client.join('r');
  await turn();
  const [ask] = Socket.last.frames('join');
  Socket.last.frame({ type: 'joined', room: 'r', ref: ask.ref, members: 2, ...at(5) });
  assert.equal((await joined).members, 2);
  await lose();
  Socket.last.open();
  assert.deepEqual(Socket.last.sent[0].channels['room:r'], at(5));
  Socket.last.frame({ type: 'welcome', session: 's', user: 'u1', node: 'n', channels: {} });
  assert.deepEqual(Socket.last.frames('join'), []);
  Socket.last.frame({ type: 'resumed', ref: Socket.last.sent[0].ref, channels: { 'user:u1': { recovered: true, ...at(10) }, broadcast: { recovered: true, ...at(0) }, 'room:r': { recovered: false, code: 'not_allowed' } } });
  assert.deepEqual(client.rooms, []);
});

test('a room that was left is not resumed, not even for an event that came late', async () => {
  const client = await connected();
  client.join('r');
  Socket.last.frame({ type: 'joined', room: 'r', ref: Socket.last.frames('join')[0].ref, members: 1, ...at(5) });
  client.leave('r');
  Socket.last.frame(event('room:r', 6));
  await lose();
  Socket.last.open();
  assert.equal('room:r' in Socket.last.sent[0].channels, false);
});

test('a refused join is no room', async () => {
  const client = await connected();
  const joined = client.join('private-r');
  Socket.last.frame({ type: 'error', ref: Socket.last.frames('join')[0].ref, code: 'not_allowed', error: 'no' });
  assert.equal(await code(joined), 'not_allowed');
  assert.deepEqual(client.rooms, []);
});

test('many rooms are resumed in several frames of at most 200 channels', async () => {
  const client = await connected({ maxQueue: 2000, rate: 0 });
  for (let i = 0; i < 450; i++) client.join(`r${i}`);
  for (const { room, ref } of Socket.last.frames('join')) Socket.last.frame({ type: 'joined', room, ref, members: 1, ...at(1) });
  await lose();
  Socket.last.open();
  assert.deepEqual(Socket.last.frames('resume').map(({ channels }) => Object.keys(channels).length), [200, 200, 52]);
});

test('a gap is told, for a history that ended and for a resync', async () => {
  const gaps = [];
  const client = await connected({ onGap: (...what) => gaps.push(what) });
  await lose();
  Socket.last.welcome({ 'user:u1': at(400), broadcast: at(0) });
  Socket.last.frame(event('user:u1', 401));
  Socket.last.frame({ type: 'resumed', ref: Socket.last.sent[0].ref, channels: { 'user:u1': { recovered: false, ...at(401) }, broadcast: { recovered: true, ...at(0) } } });
  assert.deepEqual(gaps, [['user:u1', at(401), 'lost']]);
  assert.deepEqual(client.seen, [401]);
  Socket.last.frame({ type: 'resync', channel: 'broadcast', ...at(7, 'f') });
  assert.deepEqual(gaps[1], ['broadcast', at(7, 'f'), 'resync']);
  assert.deepEqual(client.position('broadcast'), at(7, 'f'));
});

test('a channel that cannot be resumed yet is asked for again, and nothing is sent before', async () => {
  const client = await connected();
  await lose();
  client.send({ to: 'u2', content: 1 });
  Socket.last.welcome({ 'user:u1': at(10), broadcast: at(0) });
  const [first] = Socket.last.sent;
  Socket.last.frame({ type: 'resumed', ref: first.ref, channels: { 'user:u1': { recovered: false, code: 'unavailable' }, broadcast: { recovered: true, ...at(0) } } });
  assert.deepEqual(Socket.last.frames('chat'), []);
  await clock.advance(2000);
  const again = Socket.last.frames('resume')[1];
  assert.deepEqual(again.channels, { 'user:u1': at(10) });
  Socket.last.frame({ type: 'resumed', ref: again.ref, channels: { 'user:u1': { recovered: true, ...at(10) } } });
  assert.equal(Socket.last.frames('chat').length, 1);
});

test('a message without an answer is sent again with the same id, one with an answer is not', async () => {
  const client = await connected();
  const one = client.send({ to: 'u2', content: 1 });
  const two = client.send({ to: 'u2', content: 2 });
  const [first, second] = Socket.last.frames('chat');
  Socket.last.frame({ type: 'sent', ref: first.ref, id: first.id, ...at(1), self: at(11) });
  assert.deepEqual(await one, { id: first.id, ...at(1) });
  assert.deepEqual(client.position('user:u1'), at(11), 'the copy counts as seen');
  await lose();
  Socket.last.welcome({ 'user:u1': at(12), broadcast: at(0) });
  // The server had the second one as well: it comes back, and is not shown as somebody's.
  Socket.last.frame({ ...event('user:u1', 12), id: second.id });
  assert.deepEqual(Socket.last.frames('chat'), [], 'not before the resume is over');
  Socket.last.frame({ type: 'resumed', ref: Socket.last.sent[0].ref, channels: { 'user:u1': { recovered: true, ...at(12) }, broadcast: { recovered: true, ...at(0) } } });
  assert.deepEqual(Socket.last.frames('chat'), [second]);
  assert.deepEqual(client.seen, []);
  Socket.last.frame({ type: 'sent', ref: second.ref, id: second.id, ...at(2), self: at(12) });
  assert.equal((await two).offset, 2);
  assert.equal(client.queued, 0);
});

test('the own copy does not hide what is still on its way before it', async () => {
  const client = await connected();
  client.send({ to: 'u2', content: 1 });
  const [{ ref, id }] = Socket.last.frames('chat');
  Socket.last.frame({ type: 'sent', ref, id, ...at(1), self: at(12) });
  Socket.last.frame(event('user:u1', 11));
  assert.deepEqual(client.seen, [11]);
});

test('what was sent long ago without an answer is in doubt, and not sent again', async () => {
  const client = await connected();
  const sent = client.send({ to: 'u2', content: 1 });
  Socket.last.end(1006);
  const waits = client.send({ to: 'u2', content: 2 });
  await clock.advance(250_000);
  await lose();
  Socket.last.welcome({ 'user:u1': at(10), broadcast: at(0) });
  Socket.last.frame({ type: 'resumed', ref: Socket.last.sent[0].ref, channels: { 'user:u1': { recovered: true, ...at(10) }, broadcast: { recovered: true, ...at(0) } } });
  assert.equal(await code(sent), 'in_doubt');
  assert.deepEqual(Socket.last.frames('chat').map(({ content }) => content), [2]);
  client.disconnect();
  assert.equal(await code(waits), 'closed');
});

test('the queue is bounded, and works before the first connect', async () => {
  const client = new Carillon({ url: 'http://host/', userId: 'u1', WebSocket: Socket, fallback: false, clock, maxQueue: 2 });
  client.send({ to: 'u2', content: 1 });
  client.send({ to: 'u2', content: 2 });
  assert.equal(await code(client.send({ to: 'u2', content: 3 })), 'queue_full');
  client.connect();
  await turn();
  Socket.last.welcome();
  assert.deepEqual(Socket.last.frames('chat').map(({ content }) => content), [1, 2]);
  client.disconnect();
});

test('what is not kept is sent once or not at all', async () => {
  const client = await connected();
  const typing = client.send({ type: 'typing', to: 'u2' });
  Socket.last.end(1006);
  assert.equal(await code(typing), 'disconnected');
  assert.equal(await code(client.send({ to: 'u2', durable: false })), 'offline');
  await clock.advance(60_000);
  Socket.last.welcome();
  assert.deepEqual(Socket.last.frames('typing'), []);
});

test('errors reject with their code; those that pass are tried again in place', async () => {
  const client = await connected();
  const no = client.send({ room: 'r', content: 1 });
  const yes = client.send({ to: 'u2', content: 2 });
  const [a, b] = Socket.last.frames('chat');
  Socket.last.frame({ type: 'error', ref: a.ref, code: 'not_in_room', error: 'join first' });
  Socket.last.frame({ type: 'error', ref: b.ref, code: 'unavailable', error: 'later' });
  assert.equal(await code(no), 'not_in_room');
  assert.equal(Socket.last.frames('chat').length, 2);
  await clock.advance(2000);
  assert.deepEqual(Socket.last.frames('chat')[2], b);
  Socket.last.frame({ type: 'sent', ref: b.ref, id: b.id });
  assert.equal((await yes).id, b.id);
});

test('no more are under way than the window, and no faster than the rate', async () => {
  const client = await connected({ window: 2, rate: 10, burst: 5 });
  for (let i = 1; i <= 9; i++) client.send({ to: 'u2', content: i });
  const chats = () => Socket.last.frames('chat');
  assert.equal(chats().length, 2);
  const answered = new Set();
  const answer = () => {
    for (const { ref, id } of chats()) {
      if (!answered.has(ref)) Socket.last.frame({ type: 'sent', ref, id });
      answered.add(ref);
    }
  };
  for (let i = 0; i < 5; i++) answer();
  assert.equal(chats().length, 5, 'the burst');
  await clock.advance(100);
  answer();
  assert.equal(chats().length, 6);
  for (let i = 0; i < 5; i++) {
    await clock.advance(100);
    answer();
  }
  assert.deepEqual(chats().map(({ content }) => content), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('what is too large is refused before it is sent, and after the server closed for it', async () => {
  const client = await connected({ maxMessage: 1000 });
  assert.equal(await code(client.send({ to: 'u2', content: '你'.repeat(400) })), 'too_large');
  const small = client.send({ to: 'u2', content: 'x' });
  const large = client.send({ to: 'u2', content: 'x'.repeat(500) });
  Socket.last.end(1009);
  assert.equal(await code(large), 'too_large');
  await clock.advance(10_000);
  Socket.last.welcome();
  Socket.last.frame({ type: 'resumed', ref: Socket.last.sent[0].ref, channels: { 'user:u1': { recovered: true, ...at(10) }, broadcast: { recovered: true, ...at(0) } } });
  const [{ ref, id, content }] = Socket.last.frames('chat');
  assert.equal(content, 'x');
  Socket.last.frame({ type: 'sent', ref, id });
  await small;
});

test('waits are a random part of a span that doubles up to a limit', async () => {
  clock.chance = 0.999;
  const waits = [];
  await made({ minDelay: 500, maxDelay: 8000, onState: (state, why) => { if (state === 'waiting') waits.push(Math.round(why.wait)); } });
  for (let i = 0; i < 6; i++) {
    Socket.last.end(1006);
    await clock.advance(10_000);
  }
  assert.deepEqual(waits, [999, 1998, 3996, 7992, 7992, 7992]);
  clock.chance = 0;
  Socket.last.end(1006);
  assert.equal(waits.at(-1), 0);
});

test('a session that held starts the waits anew, one that did not goes on', async () => {
  clock.chance = 0.999;
  const waits = [];
  const client = await connected({ onState: (state, why) => { if (state === 'waiting') waits.push(Math.round(why.wait)); } });
  await clock.advance(11_000);
  Socket.last.end(1006);
  for (let i = 0; i < 3; i++) {
    await clock.advance(waits.at(-1) + 1);
    Socket.last.welcome();
    Socket.last.end(4430);
  }
  assert.deepEqual(waits, [500, 999, 1998, 3996]);
  client.disconnect();
});

test('after a drain the return is somewhere in its window', async () => {
  for (const chance of [0, 0.25, 0.999]) {
    clock.chance = chance;
    const client = await connected();
    await clock.advance(20_000);
    Socket.last.frame({ type: 'drain', reconnect_within_ms: 10_000 });
    await clock.advance(1000);
    const before = Socket.all.length;
    Socket.last.end(1012);
    const wait = Math.max(0, chance * 10_000 - 1000);
    await clock.advance(Math.max(0, wait - 2));
    assert.equal(Socket.all.length, wait ? before : before + 1);
    await clock.advance(3);
    assert.equal(Socket.all.length, before + 1);
    client.disconnect();
  }
});

test('an overloaded server gets more time, and what Retry-After says', async () => {
  clock.chance = 0;
  const waits = [];
  const onState = (state, why) => { if (state === 'waiting') waits.push(why.wait); };
  await connected({ onState });
  Socket.last.end(1013);
  assert.equal(waits[0], 1000);
  await clock.advance(1000);
  // As nodeWebSocket of ws.js shows it.
  Socket.last.onclose({ code: 1006, status: 503, retryAfter: '7' });
  assert.equal(waits[1], 7000);
});

test('4500 to 4999 end it: nothing is dialled, what waits is rejected', async () => {
  for (const final of [4500, 4501, 4503, 4999]) {
    const stops = [];
    const client = await connected({ onStop: (why) => stops.push(why.code) });
    const waits = client.send({ to: 'u2', content: 1 });
    const dialled = Socket.all.length;
    Socket.last.end(final, 'no');
    await clock.advance(600_000);
    assert.equal(Socket.all.length, dialled);
    assert.deepEqual(stops, [final]);
    assert.equal(client.state, 'closed');
    assert.equal(await code(waits), 'closed');
    assert.equal(await code(client.send({ to: 'u2' })), 'closed');
    assert.equal(clock.waiting, 0, 'no timer is left');
  }
});

test('4000 to 4499 and the standard codes come back', async () => {
  for (const passing of [1000, 1001, 1006, 1011, 1012, 1013, 4000, 4408, 4429, 4430, 4431, 4432, 4499]) {
    const client = await connected();
    const dialled = Socket.all.length;
    await lose(passing);
    assert.equal(Socket.all.length > dialled, true, String(passing));
    client.disconnect();
  }
});

test('4401 brings a fresh token; with one that is fixed it is the end', async () => {
  const asked = [];
  await connected({ userId: undefined, token: async ({ expired }) => asked.push(expired) && `t${asked.length}` });
  await lose(4401);
  assert.deepEqual(asked.slice(0, 2), [false, true]);
  assert.deepEqual(Socket.all[1].protocols, ['bearer', 't2']);
  const fixed = await connected({ userId: undefined, token: 'a.b.c' });
  Socket.last.end(4401);
  assert.equal(fixed.state, 'closed');
});

test('a token that expires soon is refreshed', async () => {
  const client = await connected({ userId: undefined, token: ({ expired }) => (expired ? 'fresh' : 'old') });
  Socket.last.frame({ type: 'token_expiring', expires_in: 30 });
  await turn();
  const [refresh] = Socket.last.frames('refresh');
  assert.equal(refresh.token, 'fresh');
  Socket.last.frame({ type: 'refreshed', ref: refresh.ref, exp: 1 });
  assert.equal(client.queued, 0);
});

test('a token function that fails or never answers is tried again', async () => {
  let calls = 0;
  const client = await made({ token: () => (++calls === 1 ? Promise.reject(new Error('no')) : new Promise(() => {})) });
  assert.equal(client.state, 'waiting');
  await clock.advance(60_000);
  assert.ok(calls > 2);
  assert.equal(Socket.all.length, 0);
  client.disconnect();
});

test('a quiet link is asked, and given up when it stays quiet', async () => {
  const client = await connected();
  await clock.advance(24_999);
  assert.equal(Socket.last.frames('ping').length, 0);
  await clock.advance(1);
  assert.equal(Socket.last.frames('ping').length, 1);
  Socket.last.frame({ type: 'pong', timestamp: 1 });
  await clock.advance(25_000);
  assert.equal(Socket.last.frames('ping').length, 2);
  const dead = Socket.last;
  await clock.advance(10_000);
  assert.equal(dead.closed, 1000);
  await clock.advance(1000);
  assert.notEqual(Socket.last, dead);
  // Whatever the dead one still says is not heard.
  dead.frame(event('user:u1', 11));
  dead.end(4503);
  assert.deepEqual(client.seen, []);
  assert.equal(client.state, 'connecting');
});

test('a handshake or a welcome that does not come is not waited for', async () => {
  await made();
  await clock.advance(11_000);
  assert.equal(Socket.all.length, 2);
  Socket.last.open();
  await clock.advance(12_000);
  assert.equal(Socket.all.length, 3);
});

test('a handshake that failed is over with its error, one that succeeded only with its close', async () => {
  const client = await made();
  Socket.last.onerror({});
  assert.equal(client.state, 'waiting');
  await clock.advance(2000);
  Socket.last.welcome();
  Socket.last.onerror({});
  assert.equal(client.state, 'open');
});

test('an acknowledged event: after the handlers, once, and again when it comes again', async () => {
  const client = await connected();
  let done;
  let calls = 0;
  client.on('order', () => {
    calls++;
    return new Promise((resolve) => { done = resolve; });
  });
  const order = { ...event('user:u1', 11), type: 'order', ack: true };
  Socket.last.frame(order);
  Socket.last.frame(order);
  await turn();
  assert.deepEqual(Socket.last.frames('ack'), []);
  done();
  await turn();
  assert.deepEqual(Socket.last.frames('ack'), [{ type: 'ack', id: order.id }]);
  Socket.last.frame(order);
  await turn();
  assert.equal(Socket.last.frames('ack').length, 2);
  assert.equal(calls, 1);
});

test('an event whose handler failed, or that nobody handles, is not acknowledged and comes again', async () => {
  const errors = [];
  const client = await made({ onError: (error) => errors.push(error.message) });
  Socket.last.welcome({ 'user:u1': at(10) });
  const order = { ...event('user:u1', 11), type: 'order', ack: true };
  Socket.last.frame(order);
  await turn();
  let calls = 0;
  client.on('order', () => { if (++calls < 3) throw new Error('broken'); });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(Socket.last.frames('ack'), []);
    Socket.last.frame(order);
    await turn();
  }
  assert.equal(Socket.last.frames('ack').length, 1);
  assert.deepEqual(errors, ['broken', 'broken']);
});

test('an event to be acknowledged is handled though its place is long past, and manual means manual', async () => {
  const client = await connected({ ack: 'manual' });
  Socket.last.frame({ ...event('user:u1', 3), ack: true });
  assert.deepEqual(client.seen, [3]);
  assert.deepEqual(client.position('user:u1'), at(10));
  assert.deepEqual(Socket.last.frames('ack'), []);
  client.ack({ id: 'user:u1-3' });
  assert.deepEqual(Socket.last.frames('ack'), [{ type: 'ack', id: 'user:u1-3' }]);
  Socket.last.frame({ ...event('user:u1', 3), ack: true });
  assert.equal(Socket.last.frames('ack').length, 2);
  assert.deepEqual(client.seen, [3]);
  // Kept for longer than the history it was in.
  Socket.last.frame({ ...event('user:u1', 40), id: 'older', epoch: 'gone', ack: true });
  assert.deepEqual(client.seen, [3, 40]);
  assert.deepEqual(client.position('user:u1'), at(10));
});

test('questions are answered by ref, asked again after a reconnect, and not waited for for ever', async () => {
  const client = await connected();
  const presence = client.presence('r');
  const history = client.history('room:r', { after: 1, limit: 5 });
  const [ask] = Socket.last.frames('presence');
  Socket.last.frame({ type: 'presence', room: 'r', count: 2, users: ['a', 'b'], ref: ask.ref });
  assert.equal((await presence).count, 2);
  Socket.last.end(1006);
  await clock.advance(1000);
  Socket.last.welcome();
  Socket.last.frame({ type: 'resumed', ref: Socket.last.sent[0].ref, channels: { 'user:u1': { recovered: true, ...at(10) }, broadcast: { recovered: true, ...at(0) } } });
  const [again] = Socket.last.frames('history');
  assert.deepEqual([again.channel, again.after, again.limit], ['room:r', 1, 5]);
  await clock.advance(10_000);
  assert.equal(await code(history), 'timeout');
});

test('names of the prototype are names like any other', async () => {
  const client = await connected();
  const types = [];
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    client.on(name, (one) => types.push(one.type));
    Socket.last.frame(`{"type":"${name}","id":"${name}","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`);
    client.join(name);
    const { ref } = Socket.last.frames('join').at(-1);
    Socket.last.frame({ type: 'joined', room: name, ref, members: 1, ...at(3) });
  }
  assert.deepEqual(types, ['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
  await lose();
  Socket.last.open();
  const resume = Socket.last.sent[0].channels;
  assert.deepEqual(Object.keys(resume).sort(), ['broadcast', 'room:__proto__', 'room:constructor', 'room:hasOwnProperty', 'room:toString', 'user:u1']);
  Socket.last.frame(`{"type":"welcome","session":"s","user":"u1","node":"n","channels":{"__proto__":{"epoch":"e","offset":1}}}`);
  Socket.last.frame(`{"type":"resumed","ref":"${Socket.last.sent[0].ref}","channels":{"__proto__":{"polluted":1}}}`);
  client.send({ to: 'u2', content: JSON.parse('{"__proto__":{"polluted":1}}') });
  assert.equal({}.polluted, undefined);
  assert.equal(Object.prototype.polluted, undefined);
});

test('no event from outside is taken for the client speaking, and nonsense is only reported', async () => {
  const errors = [];
  const stops = [];
  const client = await connected({ onError: (error) => errors.push(error.code), onStop: () => stops.push(1) });
  for (const text of ['', 'nonsense', 'null', '[]', '{}', '{"type":7}', '"x"']) Socket.last.frame(text);
  assert.equal(errors.length, 7);
  client.on('$gap', () => stops.push(2));
  Socket.last.frame({ type: 'close', id: 'c', content: 'an ordinary type' });
  Socket.last.frame({ type: '$stop', code: 1 });
  Socket.last.frame({ type: '*', content: 'star' });
  assert.deepEqual(client.seen, ['an ordinary type']);
  assert.deepEqual(stops, []);
});

test('on, once and off', async () => {
  const client = await connected();
  const seen = [];
  const handler = (one) => seen.push(`on ${one.content}`);
  const off = client.on('chat', handler);
  client.once('chat', (one) => seen.push(`once ${one.content}`));
  const never = () => seen.push('never');
  client.once('chat', never);
  client.off('chat', never);
  Socket.last.frame(event('user:u1', 11));
  Socket.last.frame(event('user:u1', 12));
  off();
  Socket.last.frame(event('user:u1', 13));
  assert.deepEqual(seen, ['on 11', 'once 11', 'on 12']);
});

test('disconnect ends it, and connect goes on where it was', async () => {
  const client = await connected();
  Socket.last.frame(event('user:u1', 11));
  client.disconnect();
  assert.equal(Socket.last.closed, 1000);
  assert.equal(clock.waiting, 0);
  client.connect();
  await turn();
  Socket.last.open();
  assert.deepEqual(Socket.last.sent[0].channels['user:u1'], at(11));
});

test('of another user nothing is asked for', async () => {
  const client = await connected();
  await lose();
  Socket.last.welcome({ 'user:u2': at(3) }, { user: 'u2' });
  assert.equal(client.position('user:u1'), null);
  assert.deepEqual(client.position('user:u2'), at(3));
});

test('an event stream is open when it says where it stands, not when it is answered', async () => {
  let stream;
  const body = new ReadableStream({ start(controller) { stream = controller; } });
  const client = new Carillon({
    url: 'http://host/api/ws/connect', userId: 'u1', WebSocket: null, clock, fetch: async () => new Response(body),
  });
  const come = async (text) => {
    stream.enqueue(new TextEncoder().encode(text));
    for (let i = 0; i < 5; i++) await turn();
  };
  client.connect();
  for (let i = 0; i < 100 && client.transport !== 'sse'; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  await come('retry: 1000\n');
  assert.equal(client.state, 'connecting');
  await come('id: here\n\n');
  assert.equal(client.state, 'open');
  assert.equal(client.lastEventId, 'here');
  client.disconnect();
});
