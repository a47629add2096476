import type { Feed, FeedEvents, FeedOptions } from './feed.js';

export { CarillonError } from './carillon.js';

export interface ChatMessage {
  id: number;
  user_id: string;
  username: string;
  /** Escaped by the server: it may be shown as HTML, and has to be unescaped to be shown as text. */
  content: string;
  created_at: string;
}

export interface ChatOptions extends FeedOptions {
  /** Bytes of one frame. Default 4,096. */
  maxMessage?: number;
}

export interface ChatEvents extends FeedEvents<ChatMessage> {
  /** How many users are online. */
  online: (count: number) => void;
}

/** The chat endpoint: WebSocket, and asking by HTTP where there is none. */
export class Chat extends Feed<ChatEvents> {
  constructor(options?: ChatOptions);
  readonly onlineCount: number;
  /** Sends, now or when it is connected again, in the order of the calls and once. */
  send(content: string, options?: { clientId?: string }): Promise<{ id: number; clientId: string }>;
  onlineUsers(): Promise<{ count: number; users: { id: string; name: string }[] }>;
}
