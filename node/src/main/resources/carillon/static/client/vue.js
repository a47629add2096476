// The chat as a Vue 3 composable. Contract: vue.d.ts.
import { getCurrentScope, onScopeDispose, ref, shallowRef, unref } from 'vue';
import { Chat } from './chat.js';

export function useWebSocket(token, options = {}) {
  const { maxMessages = 500, ...rest } = options;
  const messages = ref([]);
  const onlineCount = ref(0);
  const isConnected = ref(false);
  const isReconnecting = ref(false);
  const error = shallowRef(null);
  const chat = new Chat({ ...rest, token: typeof token === 'function' ? token : () => unref(token) });
  let wasOpen = false;

  chat.on('message', (message) => {
    messages.value.push(message);
    if (messages.value.length > maxMessages) messages.value.splice(0, messages.value.length - maxMessages);
  });
  chat.on('online', (count) => { onlineCount.value = count; });
  chat.on('$error', (what) => { error.value = what; });
  chat.on('$stop', (why) => { error.value = why; });
  chat.on('$state', (state) => {
    wasOpen = state === 'open' || wasOpen && state !== 'closed';
    isConnected.value = state === 'open';
    isReconnecting.value = state === 'waiting' || state === 'connecting' && wasOpen;
  });

  const connect = () => chat.connect();
  const disconnect = () => chat.disconnect();
  const sendMessage = (content) => {
    if (!isConnected.value && !isReconnecting.value) throw new Error('The WebSocket is not connected; call connect() first.');
    return chat.send(content);
  };
  if (getCurrentScope()) onScopeDispose(disconnect);
  return { connect, disconnect, sendMessage, messages, onlineCount, isConnected, isReconnecting, error, chat };
}
