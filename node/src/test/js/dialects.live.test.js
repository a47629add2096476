// Chat and conversations against real nodes; JsClientIT starts them and says where they are.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { client as directory } from './support.js';
import { until } from './wire.js';

const { Chat } = await import(new URL('chat.js', directory));
const { Conversation } = await import(new URL('conversation.js', directory));

const [node1, node2] = process.env.CARILLON_NODE_URLS.split(',');
const fast = { minDelay: 10, maxDelay: 200, fallbackAfter: 2, pollInterval: 50, webSocketRetry: 100 };
const base64 = (text) => Buffer.from(text).toString('base64url');
const token = (claims, seconds = 3600) => {
  const signed = `${base64('{"alg":"HS256"}')}.${base64(JSON.stringify({ ...claims, exp: Math.floor(Date.now() / 1000) + seconds }))}`;
  return `${signed}.${createHmac('sha256', process.env.CARILLON_JWT_SECRET).update(signed).digest('base64url')}`;
};
const open = [];
afterEach(() => open.splice(0).forEach((client) => client.disconnect()));
function made(Type, options) {
  const client = new Type({ ...fast, ...options });
  client.seen = [];
  client.on('message', ({ content }) => client.seen.push(content));
  client.on('$error', (error) => client.seen.push(`error ${error.message}`));
  open.push(client);
  return client;
}
const counted = (n) => Array.from({ length: n }, (_, i) => `m${i + 1}`);
let conversations = Date.now();

async function chatting(options = {}) {
  const first = made(Chat, { base: node1, token: token({ sub: '1', name: 'Ada' }) });
  await first.connect();
  const { id } = await first.send('begin');
  const ada = made(Chat, { base: node1, token: token({ sub: '1', name: 'Ada' }), afterId: id });
  const ben = made(Chat, { base: node2, token: () => token({ sub: '2', name: 'Ben' }), afterId: id, ...options });
  await Promise.all([ada.connect(), ben.connect()]);
  return { ada, ben };
}

test('chat: in order and once, paced by the refusals, over connections that break', async () => {
  const { ada, ben } = await chatting();
  const sent = counted(40).map((content) => ada.send(content));
  await sent[10];
  ada.redial(1006, 'test');
  ben.redial(1006, 'test');
  await Promise.all(sent);
  await until('all', () => ben.seen.length >= 40 && ada.seen.length >= 40);
  assert.deepEqual(ben.seen, counted(40));
  assert.deepEqual(ada.seen, counted(40));
  await until('the count', () => ben.onlineCount >= 2);
  assert.ok((await ben.onlineUsers()).users.some(({ name }) => name === 'Ada'));
});

test('chat: by polling where there is no WebSocket', async () => {
  const { ada, ben } = await chatting({ WebSocket: null });
  assert.equal(ben.transport, 'polling');
  await ada.send('to ben');
  const key = 'the-same';
  const [one, two] = await Promise.all([ben.send('to ada', { clientId: key }), ben.send('to ada', { clientId: key })]);
  assert.equal(one.id, two.id);
  await until('both', () => ben.seen.length >= 2 && ada.seen.length >= 2);
  assert.deepEqual(ada.seen, ['to ben', 'to ada']);
  assert.deepEqual(ben.seen, ['to ben', 'to ada']);
});

test('chat: a token that ends soon is refreshed', async () => {
  let fresh = 0;
  const ada = made(Chat, { base: node1, token: ({ expired }) => (expired ? (fresh++, token({ sub: '3' })) : token({ sub: '3' }, 20)) });
  const refreshed = new Promise((resolve) => { ada.on('refreshed', resolve); });
  await ada.connect();
  await refreshed;
  assert.equal(fresh, 1);
});

test('conversation: a visitor and an agent, in order and once, over connections that break', async () => {
  const conversationId = ++conversations;
  const visitor = made(Conversation, { base: node1, conversationId, token: token({ sub: 'v', conversation_id: conversationId }) });
  const agent = made(Conversation, { base: node2, conversationId, token: () => token({ sub: 'a', kind: 'agent' }) });
  await Promise.all([visitor.connect(), agent.connect()]);
  const sent = counted(30).map((content) => visitor.send(content));
  await sent[5];
  agent.redial(1006, 'test');
  visitor.redial(1006, 'test');
  assert.deepEqual((await Promise.all(sent)).map(({ id }) => id), Array.from({ length: 30 }, (_, i) => i + 1));
  const answer = await agent.send('你好', { asAgent: true });
  assert.equal(answer.sender_is_agent, true);
  await until('all', () => agent.seen.length >= 31 && visitor.seen.length >= 31);
  assert.deepEqual(agent.seen, [...counted(30), '你好']);
  assert.deepEqual(visitor.seen, [...counted(30), '你好']);
  await assert.rejects(visitor.send('no', { asAgent: true }), /./);
});

test('conversation: by polling where there is no WebSocket', async () => {
  const conversationId = ++conversations;
  const visitor = made(Conversation, { base: node1, conversationId, token: token({ sub: 'v', conversation_id: conversationId }), WebSocket: null });
  await visitor.connect();
  await visitor.send('hello');
  await until('it', () => visitor.seen.length === 1);
  const late = made(Conversation, { base: node2, conversationId, token: token({ sub: 'a', kind: 'agent' }) });
  await late.connect();
  await until('what is kept', () => late.seen.length === 1);
});
