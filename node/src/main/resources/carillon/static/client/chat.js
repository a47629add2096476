// The chat dialect: one room for everybody, a name for each. Contract: chat.d.ts.
import { CarillonError } from './carillon.js';
import { Feed, retry } from './feed.js';

export class Chat extends Feed {
  #asked = null;  // the message whose answer is awaited on the WebSocket
  onlineCount = 0;

  constructor(options = {}) {
    super({ url: `${options.base ?? ''}/api/chat/ws`, maxMessage: 4096, ...options });
  }

  send(content, { clientId } = {}) {
    return this.queue({ content, key: clientId });
  }

  onlineUsers() { return this.http('/api/chat/online-users'); }

  ping() { if (this.transport === 'websocket') this.transmit('{"type":"heartbeat"}'); }

  page(after, limit) { return this.http(`/api/chat/messages/new?after_id=${after}&limit=${limit}`); }

  async poll(wanted) {
    await super.poll(wanted);
    if (!wanted) this.#online((await this.onlineUsers()).count);
  }

  async deliver({ content, key }) {
    const body = { content, client_id: key };
    if (this.transport !== 'websocket') {
      const { id } = await this.http('/api/chat/messages', { method: 'POST', body });
      return { id, clientId: key };
    }
    const text = JSON.stringify({ type: 'message', ...body });
    const limit = this.options.maxMessage;
    if (new TextEncoder().encode(text).length > limit) throw new CarillonError('too_large', `a message has ${limit} bytes at most`);
    return new Promise((resolve, reject) => {
      const end = (task) => (what) => {
        this.never('answer');
        this.#asked = null;
        task(what);
      };
      this.#asked = { key, resolve: end(resolve), reject: end(reject) };
      // The same client_id again is the same message.
      this.later('answer', this.options.answerTimeout, () => this.#asked.reject(retry('timeout', 'no answer in time')));
      if (!this.transmit(text)) this.#asked.reject(retry('offline', 'not connected'));
    });
  }

  closed(why) {
    this.#asked?.reject(why.code === 1009 ? new CarillonError('too_large', 'the server does not take a message as large as this') : retry('offline', 'the connection was lost'));
    super.closed(why);
  }

  notice(frame) {
    const { type, data } = frame;
    switch (type) {
      case 'message': return this.message(data);
      case 'online_count': return this.#online(data?.count);
      case 'ack':
        if (frame.client_id === this.#asked?.key) this.#asked.resolve({ id: data?.id, clientId: frame.client_id });
        return;
      case 'error': return this.#error(frame);
      case 'heartbeat_ack': return this.flows();
      default: this.emit(type, frame);
    }
  }

  // Only one message is under way at a time, so an error that names none is its.
  #error({ code, error, client_id: of }) {
    const asked = this.#asked;
    if (!asked || of !== undefined && of !== asked.key) return this.report(new CarillonError(code, error));
    asked.reject(code === 'rate_limited' || code === 'unavailable' ? retry(code, error) : new CarillonError(code, error));
  }

  #online(count) {
    if (!Number.isSafeInteger(count) || count === this.onlineCount) return;
    this.onlineCount = count;
    this.emit('online', count);
  }
}
