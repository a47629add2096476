import type { Ref, ShallowRef } from 'vue';
import type { Token } from './carillon.js';
import type { Chat, ChatMessage, ChatOptions } from './chat.js';

export interface UseWebSocketOptions extends Omit<ChatOptions, 'token'> {
  /** Messages kept for showing. Default 500. */
  maxMessages?: number;
}

/** The chat for a component: connected by `connect`, disconnected by `disconnect` or with the component. */
export function useWebSocket(token: Token | Ref<string>, options?: UseWebSocketOptions): {
  connect(): Promise<void>;
  disconnect(): void;
  /** Throws when there is neither a connection nor one on its way; waits for it while it is coming back. */
  sendMessage(content: string): Promise<{ id: number; clientId: string }>;
  messages: Ref<ChatMessage[]>;
  onlineCount: Ref<number>;
  isConnected: Ref<boolean>;
  isReconnecting: Ref<boolean>;
  error: ShallowRef<unknown>;
  chat: Chat;
};
