import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { client as directory } from './support.js';
import { serve, until } from './wire.js';

const { Chat } = await import(new URL('chat.js', directory));
const { Conversation } = await import(new URL('conversation.js', directory));

const open = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one();
});

const fast = { minDelay: 10, maxDelay: 50, pollInterval: 20, answerTimeout: 500, webSocketRetry: 200, fallbackAfter: 2 };
const made = (Type, options) => {
  const client = new Type({ ...fast, ...options });
  client.ids = [];
  client.texts = [];
  client.on('message', ({ id, content }) => {
    client.ids.push(id);
    client.texts.push(content);
  });
  open.push(() => client.disconnect());
  return client;
};
const counted = (n, from = 1) => Array.from({ length: n }, (_, i) => from + i);

/** The chat endpoint, in memory, over real sockets. */
async function chatServer() {
  const server = { peers: new Set(), messages: [], known: new Map(), sockets: true, http: true, answers: true, tokens: new Set(['good']), posts: 0, gets: 0, refuse: [] };
  server.accept = (content, key) => {
    if (server.known.has(key)) return [server.known.get(key), false];
    const message = { id: server.messages.length + 1, user_id: '1', username: 'Ada', content, created_at: 'now' };
    server.messages.push(message);
    server.known.set(key, message.id);
    for (const peer of server.peers) peer.send({ type: 'message', data: message });
    return [message.id, true];
  };
  const { base, close } = await serve(({ method, url, headers }, body) => {
    const at = new URL(url, 'http://x');
    if (!server.tokens.has(headers.authorization?.slice(7))) return [401, { error: 'no' }];
    if (!server.http) return [503, { error: 'no' }, { 'Retry-After': '0' }];
    if (at.pathname === '/api/chat/online-users') return [200, { count: server.peers.size + 1, users: [] }];
    if (method === 'POST') {
      server.posts++;
      const [id, fresh] = server.accept(body.content, body.client_id);
      // The answer may get lost on its way.
      return server.answers ? [fresh ? 201 : 200, { id }] : (response) => response.destroy();
    }
    server.gets++;
    const after = Number(at.searchParams.get('after_id'));
    const limit = Number(at.searchParams.get('limit'));
    const rest = server.messages.filter(({ id }) => id > after);
    return [200, { messages: rest.slice(0, limit), has_more: rest.length > limit }];
  }, ({ headers, url }, peer) => {
    assert.equal(url, '/api/chat/ws', 'no token in the address');
    if (!server.sockets) return 503;
    if (!server.tokens.has(headers['sec-websocket-protocol']?.split(', ')[1])) return 401;
    peer.begin();
    const opened = () => {
      server.peers.add(peer);
      peer.send({ type: 'online_count', data: { count: server.peers.size } });
      return true;
    };
    let flows = !server.opens && opened();
    peer.onmessage = async ({ type, content, client_id: key }) => {
      if (type === 'heartbeat') {
        if (!flows) await server.opens();
        flows ||= opened();
        server.between?.();
        return peer.send({ type: 'heartbeat_ack' });
      }
      if (type === 'refresh') return server.tokens.add('refreshed');
      const refusal = server.refuse.shift();
      if (refusal) return peer.send({ type: 'error', code: refusal, error: 'no' });
      const [id] = server.accept(content, key);
      if (server.answers) peer.send({ type: 'ack', client_id: key, data: { id } });
    };
  });
  server.base = base;
  server.kill = () => {
    for (const peer of server.peers) peer.kill();
    server.peers.clear();
  };
  open.push(close);
  return server;
}

test('chat: messages in order and once, through lost answers and killed connections', async () => {
  const server = await chatServer();
  const ada = made(Chat, { base: server.base, token: 'good' });
  const ben = made(Chat, { base: server.base, token: () => 'good' });
  await Promise.all([ada.connect(), ben.connect()]);
  const sent = [];
  for (let i = 1; i <= 60; i++) {
    sent.push(ada.send(`m${i}`));
    if (i % 20 === 10) {
      // Taken, but not answered; then the connection is gone.
      await Promise.all(sent.slice(0, -1));
      server.answers = false;
      await until('the message to be there', () => server.messages.length >= i);
      server.kill();
      server.answers = true;
    }
  }
  const ids = (await Promise.all(sent)).map(({ id }) => id);
  assert.deepEqual(ids, counted(60));
  await until('all messages', () => ben.ids.length >= 60 && ada.ids.length >= 60);
  for (const client of [ada, ben]) {
    assert.deepEqual(client.ids, counted(60));
    assert.deepEqual(client.texts, counted(60).map((i) => `m${i}`));
  }
  assert.ok(ben.onlineCount > 0);
});

test('chat: what is kept is read first, page by page, while live messages wait', async () => {
  const server = await chatServer();
  for (let i = 1; i <= 250; i++) server.accept(`m${i}`, `k${i}`);
  const ada = made(Chat, { base: server.base, token: 'good', afterId: 7 });
  await ada.connect();
  server.accept('live', 'live');
  await until('all', () => ada.ids.length >= 244);
  assert.deepEqual(ada.ids, counted(244, 8));
});

test('chat: what is said while a session opens comes, too', async () => {
  const server = await chatServer();
  server.accept('before', 'k1');
  server.opens = async () => {
    // Nothing is pushed yet, and the client has read what was there.
    await until('a first look', () => server.gets > 0);
    server.accept('meanwhile', 'k2');
  };
  const ada = made(Chat, { base: server.base, token: 'good' });
  await ada.connect();
  await until('both', () => ada.ids.length === 2);
  server.accept('after', 'k3');
  await until('all', () => ada.ids.length === 3);
  assert.deepEqual(ada.texts, ['before', 'meanwhile', 'after']);
});

test('chat: what comes by itself before the answer to the ping hides nothing that no look has seen', async () => {
  const server = await chatServer();
  server.opens = async () => {
    await until('a first look', () => server.gets > 0);
    server.accept('meanwhile', 'k1');
  };
  server.between = () => server.accept('at once', 'k2');
  const ada = made(Chat, { base: server.base, token: 'good' });
  await ada.connect();
  await until('both', () => ada.ids.length === 2);
  assert.deepEqual(ada.texts, ['meanwhile', 'at once']);
});

test('chat: without WebSocket by polling, then by WebSocket again, and nothing twice', async () => {
  const server = await chatServer();
  server.sockets = false;
  const ada = made(Chat, { base: server.base, token: 'good' });
  await ada.connect();
  assert.equal(ada.transport, 'polling');
  assert.equal((await ada.send('by POST')).id, 1);
  server.accept('somebody', 'x');
  await until('polled', () => ada.ids.length === 2);
  assert.equal(ada.onlineCount, 1);
  server.answers = false;
  const lost = ada.send('answer lost');
  await until('the message to be there', () => server.messages.length === 3);
  server.answers = true;
  server.sockets = true;
  assert.equal((await lost).id, 3);
  await until('a WebSocket again', () => ada.transport === 'websocket' && ada.isOpen);
  const { posts } = server;
  await ada.send('by WebSocket');
  assert.equal(server.posts, posts);
  await until('all', () => ada.ids.length === 4);
  assert.deepEqual(ada.ids, counted(4));
});

test('chat: no WebSocket in the environment at all', async () => {
  const server = await chatServer();
  const ada = made(Chat, { base: server.base, token: 'good', WebSocket: null });
  await ada.connect();
  await ada.send('x');
  await until('polled', () => ada.ids.length === 1);
  assert.equal(server.peers.size, 0);
});

test('chat: errors belong to the message under way; those that pass are tried again', async () => {
  const server = await chatServer();
  const ada = made(Chat, { base: server.base, token: 'good' });
  await ada.connect();
  server.refuse = ['rate_limited', 'bad_frame'];
  const results = await Promise.allSettled([ada.send('a'), ada.send('b'), ada.send('c'), ada.send('x'.repeat(5000))]);
  // "a" is tried again and then refused for good.
  assert.deepEqual(results.map(({ value, reason }) => value?.id ?? reason.code), ['bad_frame', 1, 2, 'too_large']);
});

test('chat: a refused token is renewed, also where a browser would not see the status', async () => {
  const server = await chatServer();
  let asked = 0;
  const ada = made(Chat, { base: server.base, token: ({ expired }) => (expired && ++asked ? 'good' : 'stale') });
  await ada.connect();
  assert.ok(asked > 0);
  await ada.send('x');
  const ben = made(Chat, { base: server.base, token: 'bad' });
  await assert.rejects(ben.connect(), { code: 'closed' });
  assert.equal(ben.state, 'closed');
});

test('chat: a token that ends soon is refreshed on the socket', async () => {
  const server = await chatServer();
  const ada = made(Chat, { base: server.base, token: ({ expired }) => (expired ? 'refreshed' : 'good') });
  await ada.connect();
  for (const peer of server.peers) peer.send({ type: 'token_expiring', data: { expires_in: 30 } });
  await until('the fresh token', () => server.tokens.has('refreshed'));
});

test('chat: what still waits when it is closed is rejected, and the queue is bounded', async () => {
  const ada = made(Chat, { base: 'http://127.0.0.1:1', token: 'good', maxQueue: 2 });
  ada.connect();
  const waits = [ada.send('a'), ada.send('b')];
  await assert.rejects(ada.send('c'), { code: 'queue_full' });
  ada.disconnect();
  for (const one of waits) await assert.rejects(one, { code: 'closed' });
  await assert.rejects(ada.send('d'), { code: 'closed' });
});

/** The conversation endpoint, in memory, over real sockets. */
async function conversationServer() {
  const server = { peers: new Set(), messages: [], known: new Map(), sockets: true, skip: new Set(), lose: 0, posts: [], first: 1 };
  server.accept = (content, key) => {
    if (server.known.has(key)) return [200, server.known.get(key)];
    const message = { id: server.messages.length + 1, conversation_id: 7, content, sender_is_agent: false, created_at: 'now' };
    server.messages.push(message);
    server.known.set(key, message);
    if (!server.skip.has(message.id)) for (const peer of server.peers) peer.send({ type: 'new_message', data: message });
    return [201, message];
  };
  const { base, close } = await serve(({ method, url, headers }, body) => {
    const at = new URL(url, 'http://x');
    if (method === 'POST') {
      server.posts.push(headers['idempotency-key']);
      if (!body.content) return [400, { error: 'empty' }];
      const answer = server.accept(body.content, headers['idempotency-key']);
      return server.lose-- > 0 ? (response) => response.destroy() : answer;
    }
    const after = Number(at.searchParams.get('after_id'));
    const limit = Number(at.searchParams.get('limit'));
    const rest = server.messages.filter(({ id }) => id > after && id >= server.first);
    return [200, { messages: rest.slice(0, limit), has_more: rest.length > limit }];
  }, ({ url }, peer) => {
    assert.equal(url, '/ws?conversation_id=7');
    if (!server.sockets) return 503;
    peer.begin();
    server.peers.add(peer);
    peer.onmessage = ({ type }) => { if (type === 'ping') peer.send({ type: 'pong' }); };
  });
  server.base = base;
  server.kill = () => {
    for (const peer of server.peers) peer.kill();
    server.peers.clear();
  };
  open.push(close);
  return server;
}

test('conversation: sent once though answers are lost, received in order though pushes and connections are', async () => {
  const server = await conversationServer();
  const visitor = made(Conversation, { base: server.base, conversationId: 7 });
  const agent = made(Conversation, { base: server.base, conversationId: '7' });
  await Promise.all([visitor.connect(), agent.connect()]);
  server.skip = new Set([5, 6, 21]);
  server.lose = 3;
  const sent = counted(30).map((i) => visitor.send(`m${i}`));
  await until('half of it', () => server.messages.length > 15);
  server.kill();
  assert.deepEqual((await Promise.all(sent)).map(({ id }) => id), counted(30));
  assert.ok(server.posts.length > 30, 'some were sent again');
  assert.equal(new Set(server.posts).size, 30);
  await until('all', () => agent.ids.length >= 30 && visitor.ids.length >= 30);
  assert.deepEqual(agent.ids, counted(30));
  assert.deepEqual(visitor.ids, counted(30));
});

test('conversation: polling where there is no WebSocket, and a refusal is told', async () => {
  const server = await conversationServer();
  server.sockets = false;
  const visitor = made(Conversation, { base: server.base, conversationId: 7n });
  await visitor.connect();
  await visitor.send('x');
  await until('polled', () => visitor.ids.length === 1);
  await assert.rejects(visitor.send(''), { code: 'http_400', message: 'empty' });
  server.sockets = true;
  await until('a WebSocket', () => visitor.transport === 'websocket');
  await visitor.send('y');
  await until('pushed', () => visitor.ids.length === 2);
});

test('conversation: what is no longer kept is a gap', async () => {
  const server = await conversationServer();
  const agent = made(Conversation, { base: server.base, conversationId: 7 });
  const gaps = [];
  agent.on('$gap', (...what) => gaps.push(what));
  await agent.connect();
  server.accept('1', '1');
  await until('the first', () => agent.ids.length === 1);
  server.skip = new Set(counted(9, 2));
  for (let i = 2; i <= 10; i++) server.accept(String(i), String(i));
  server.first = 6;
  server.kill();
  await until('the rest', () => agent.ids.length === 6);
  assert.deepEqual(gaps, [[1, 6]]);
  assert.deepEqual(agent.ids, [1, 6, 7, 8, 9, 10]);
});

test('conversation: an id that is none is refused at once', () => {
  for (const conversationId of [undefined, '', 'x', -1, '1&after_id=0', 1.5]) {
    assert.throws(() => new Conversation({ conversationId }), TypeError);
  }
});
