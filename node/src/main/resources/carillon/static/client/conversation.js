// The conversation dialect: visitors and agents in one conversation. Contract: conversation.d.ts.
import { Feed } from './feed.js';

export class Conversation extends Feed {
  // Ids grow by one: a hole is something missed.
  dense = true;
  #id;

  constructor(options) {
    const { base = '', conversationId } = options ?? {};
    if (!/^\d{1,20}$/.test(String(conversationId))) throw new TypeError('conversationId must be an unsigned integer');
    super({ url: `${base}/ws?conversation_id=${conversationId}`, ...options });
    this.#id = String(conversationId);
  }

  send(content, { asAgent = false, key } = {}) {
    return this.queue({ content, asAgent, key });
  }

  ping() { if (this.transport === 'websocket') this.transmit('{"type":"ping"}'); }

  page(after, limit) { return this.http(`/messages?conversation_id=${this.#id}&after_id=${after}&limit=${limit}`); }

  deliver({ content, asAgent, key }) {
    // The id may be larger than a number is exact.
    const body = `{"conversation_id":${BigInt(this.#id)},"content":${JSON.stringify(content)},"sender_is_agent":${Boolean(asAgent)}}`;
    return this.http('/messages', { method: 'POST', headers: { 'Idempotency-Key': key }, body });
  }

  notice(frame) {
    if (frame.type === 'new_message') this.message(frame.data);
    else if (frame.type === 'pong') this.flows();
    else this.emit(frame.type, frame);
  }
}
