// The installed package with ws and Vue, against a real node.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Carillon } from '@carillon/client';
import { useWebSocket } from '@carillon/client/vue';
import { nodeWebSocket } from '@carillon/client/ws';
import { createSSRApp, effectScope, watch } from 'vue';
import WebSocket, { WebSocketServer } from 'ws';

const until = async (holds) => {
  for (const end = Date.now() + 10_000; !holds();) {
    if (Date.now() > end) throw new Error(`waited in vain for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

test('ws of npm talks to a node, with and without the adapter', async () => {
  const options = { url: `${process.env.CARILLON_URL}/api/ws/connect`, fallback: false };
  const ada = new Carillon({ ...options, userId: 'ws-ada', WebSocket: nodeWebSocket(WebSocket) });
  const ben = new Carillon({ ...options, userId: 'ws-ben', WebSocket });
  await Promise.all([ada.connect(), ben.connect()]);
  const got = new Promise((resolve) => { ben.on('chat', resolve); });
  await ada.send({ to: 'ws-ben', content: 'hello' });
  assert.equal((await got).content, 'hello');
  ada.disconnect();
  ben.disconnect();
});

test('with the adapter a refusal is seen: its status, and when to come again', async () => {
  const refused = [];
  const server = createServer().on('upgrade', (request, socket) => {
    const first = request.url.includes('busy');
    socket.end(`HTTP/1.1 ${first ? '503 No\r\nRetry-After: 42' : '403 No'}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const made = (path) => new Carillon({ url: `http://127.0.0.1:${server.address().port}/${path}`, fallback: false, WebSocket: nodeWebSocket(WebSocket), onState: (state, why) => why && refused.push([state, why.status, why.wait >= 42_000]) });
  const busy = made('busy');
  busy.connect();
  await until(() => refused.length === 1);
  busy.disconnect();
  const denied = made('denied');
  await assert.rejects(denied.connect(), { code: 'closed' });
  assert.deepEqual(refused.filter(([, status]) => status), [['waiting', 503, true], ['closed', 403, false]]);
  server.closeAllConnections();
  server.close();
});

test('the composable connects, sends, shows and disconnects with its component', async () => {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"messages":[{"id":1,"user_id":"2","username":"Ben","content":"before"}],"has_more":false}');
  });
  const peers = new Set();
  let id = 1;
  new WebSocketServer({ server, path: '/api/chat/ws', handleProtocols: () => 'bearer' }).on('connection', (peer, request) => {
    assert.equal(request.headers['sec-websocket-protocol'], 'bearer,a.b.c');
    peers.add(peer);
    peer.send('{"type":"online_count","data":{"count":12}}');
    peer.on('message', (text) => {
      const { type, content, client_id } = JSON.parse(text);
      if (type === 'heartbeat') peer.send('{"type":"heartbeat_ack"}');
      if (type !== 'message') return;
      id++;
      peer.send(JSON.stringify({ type: 'message', data: { id, user_id: '1', username: 'Ada', content } }));
      peer.send(JSON.stringify({ type: 'ack', client_id, data: { id } }));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  let chat;
  const scope = effectScope();
  scope.run(() => createSSRApp({}).runWithContext(() => {
    chat = useWebSocket('a.b.c', { base: `http://127.0.0.1:${server.address().port}`, WebSocket, minDelay: 10, maxDelay: 50, maxMessages: 3 });
  }));
  assert.throws(() => chat.sendMessage('too early'));
  await chat.connect();
  assert.equal(chat.isConnected.value, true);
  await chat.sendMessage('hi');
  await until(() => chat.messages.value.length === 2 && chat.onlineCount.value === 12);
  assert.deepEqual(chat.messages.value.map(({ content }) => content), ['before', 'hi']);
  // Watched, not looked at now and then: it may be back after a millisecond.
  const reconnecting = new Promise((resolve) => { watch(chat.isReconnecting, resolve, { flush: 'sync', once: true }); });
  for (const peer of peers) peer.terminate();
  assert.equal(await reconnecting, true);
  const waiting = chat.sendMessage('while away');
  await waiting;
  assert.equal(chat.isReconnecting.value, false);
  await chat.sendMessage('more');
  await until(() => chat.messages.value.at(-1)?.content === 'more');
  assert.equal(chat.messages.value.length, 3);
  scope.stop();
  await until(() => !chat.isConnected.value);
  assert.throws(() => chat.sendMessage('too late'));
  server.closeAllConnections();
  server.close();
});
