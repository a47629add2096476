import type { Feed, FeedEvents, FeedOptions } from './feed.js';

export { CarillonError } from './carillon.js';

export interface ConversationMessage {
  id: number;
  conversation_id: number;
  content: string;
  sender_is_agent: boolean;
  created_at: string;
}

export interface ConversationOptions extends FeedOptions {
  /** An unsigned 64-bit integer; as text where a number would not be exact. */
  conversationId: number | string | bigint;
}

export interface ConversationEvents extends FeedEvents<ConversationMessage> {
  /** Messages between the two ids are no longer kept. */
  $gap: (after: number, before: number) => void;
}

/** One conversation: received by WebSocket, or by asking; sent by HTTP. */
export class Conversation extends Feed<ConversationEvents> {
  constructor(options: ConversationOptions);
  /** Sends, now or when it is connected again, in the order of the calls and once. */
  send(content: string, options?: { asAgent?: boolean; key?: string }): Promise<ConversationMessage>;
}
