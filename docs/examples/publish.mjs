// Publishes to one user from Node, with nothing but Node:  node publish.mjs <user>
// With the package redis it is client.xAdd(stream, '*', { channel, event }) instead of the function below.
import { connect } from 'node:net';
import { once } from 'node:events';

const env = process.env;
const socket = connect(Number(env.CARILLON_REDIS_PORT ?? 6379), env.CARILLON_REDIS_HOST ?? '127.0.0.1');
await once(socket, 'connect');

/** One command, one answer; the answers of publishing are short, so they come in one piece. */
async function call(...words) {
  socket.write(`*${words.length}\r\n` + words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join(''));
  const [answer] = await once(socket, 'data');
  const text = answer.toString();
  if (text.startsWith('-')) throw new Error(text.slice(1).trim());
  return text.startsWith('$') ? text.split('\r\n')[1] : text.slice(1).trim();
}

const user = process.argv[2];
if (env.REDISCLI_AUTH) await call(...['AUTH', env.CARILLON_REDIS_USER, env.REDISCLI_AUTH].filter(Boolean));

// At most once, for who is online now; answers how many nodes got it.
console.log(await call('PUBLISH', `carillon:push:user:{${user}}`, JSON.stringify({ type: 'typing', content: { by: 'node' } })));

// Durable; answers the entry's id. The event's own id makes a repeat harmless.
const event = { id: `node-${user}-1`, type: 'order_status', content: { by: 'node' } };
console.log(await call('XADD', 'carillon:ingress:{orders}', '*', 'channel', `push:user:${user}`, 'event', JSON.stringify(event)));
socket.end();
