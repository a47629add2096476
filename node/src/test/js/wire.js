// A small real server: HTTP, and WebSocket frames of text (RFC 6455) over its sockets.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

class Peer {
  #socket;
  #bytes = Buffer.alloc(0);
  onmessage = () => {};

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', () => {});
  }

  #read(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const all = this.#bytes;
      if (all.length < 6) return;
      let length = all[1] & 0x7f;
      let head = 2;
      if (length === 126) {
        if (all.length < 8) return;
        length = all.readUInt16BE(2);
        head = 4;
      } else if (length === 127) throw new Error('longer than any test needs');
      if (all.length < head + 4 + length) return;
      const mask = all.subarray(head, head + 4);
      const payload = Buffer.from(all.subarray(head + 4, head + 4 + length).map((byte, i) => byte ^ mask[i % 4]));
      this.#bytes = all.subarray(head + 4 + length);
      const code = all[0] & 0x0f;
      if (code === 1) this.onmessage(JSON.parse(payload.toString()));
      else if (code === 8) this.#socket.end(Buffer.from([0x88, 0]));
    }
  }

  #write(code, payload) {
    const head = payload.length < 126 ? [0x80 | code, payload.length] : [0x80 | code, 126, payload.length >> 8, payload.length & 0xff];
    if (this.#socket.writable) this.#socket.write(Buffer.concat([Buffer.from(head), payload]));
  }

  send(frame) { this.#write(1, Buffer.from(JSON.stringify(frame))); }
  close(code) { this.#write(8, Buffer.from([code >> 8, code & 0xff])); }
  /** As when a node is killed. */
  kill() { this.#socket.destroy(); }
}

/**
 * @param http (request, body) => [status, JSON, headers]; or a function of the response, which it then owns
 * @param upgrade (request, peer) => a status that refuses, or nothing
 */
export async function serve(http, upgrade) {
  const sockets = new Set();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const answer = await http(request, body ? JSON.parse(body) : null);
    if (typeof answer === 'function') return answer(response);
    const [status, json, headers] = answer;
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(json));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket) => {
    const peer = new Peer(socket);
    const protocol = request.headers['sec-websocket-protocol'] ? 'Sec-WebSocket-Protocol: bearer\r\n' : '';
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    peer.begin = () => socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${protocol}Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const status = upgrade(request, peer);
    if (status) socket.end(`HTTP/1.1 ${status} No\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function until(what, holds, ms = 10_000) {
  for (const end = Date.now() + ms; !await holds();) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
