// What an application writes; the compiler says whether the types allow it.
import { Carillon, CarillonError, type CarillonEvent, type Position, type State } from '@carillon/client';
import { Chat } from '@carillon/client/chat';
import { Conversation } from '@carillon/client/conversation';
import { useWebSocket } from '@carillon/client/vue';
import { nodeWebSocket } from '@carillon/client/ws';

const client = new Carillon({
  url: 'https://host/api/ws/connect',
  token: async ({ expired }) => (expired ? 'fresh' : 'cached'),
  WebSocket: nodeWebSocket(class {}),
  onState: (state: State) => console.log(state),
  onGap: (channel, position) => console.log(channel, position?.offset),
});
const off: () => void = client.on('order_status', async (event: CarillonEvent<{ status: string }>) => {
  const status: string | undefined = event.content?.status;
  console.log(status);
});
client.on('$gap', (channel: string, position: Position | null) => console.log(channel, position));
client.on('$state', (state) => { const one: State = state; console.log(one); });
client.once('welcome', ({ node }) => console.log(node));
off();
await client.connect();
const { id, offset } = await client.send({ to: 'u2', content: { text: 'hello' } });
const sure: string = id;
const maybe: number | undefined = offset;
await client.join('r').catch((error: CarillonError) => error.code);
const users: string[] = (await client.presence('r')).users;
const events: CarillonEvent[] = (await client.history('room:r', { after: 4 })).events;
console.log(sure, maybe, users, events, client.position('room:r')?.epoch);

new Carillon({ WebSocket: globalThis.WebSocket });
const chat = new Chat({ base: 'https://host', token: 't' });
chat.on('message', ({ username, content }) => console.log(username.length, content.length));
chat.on('online', (count) => console.log(count.toFixed()));
const conversation = new Conversation({ conversationId: 7n });
conversation.on('message', ({ sender_is_agent }) => { const agent: boolean = sender_is_agent; console.log(agent); });
await conversation.send('hello', { asAgent: true });
const { messages, onlineCount, isConnected, isReconnecting, sendMessage, connect, disconnect } = useWebSocket('token');
console.log(messages.value[0]?.content, onlineCount.value + 1, isConnected.value && isReconnecting.value);
await connect();
await sendMessage('hello');
disconnect();

// @ts-expect-error a room is a string
client.join(7);
// @ts-expect-error no such option
new Carillon({ adress: 'x' });
// @ts-expect-error a conversation has an id
new Conversation({});
