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
    // As text where a number would not be exact.
    const id = Number.isSafeInteger(Number(this.#id)) ? Number(this.#id) : this.#id;
    return this.http('/messages', {
      method: 'POST',
      headers: { 'Idempotency-Key': key },
      body: { conversation_id: id, content, sender_is_agent: asAgent },
    });
  }

  notice(frame) {
    if (frame.type === 'new_message') this.message(frame.data);
    else if (frame.type !== 'pong') this.emit(frame.type, frame);
  }
}
