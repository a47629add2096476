// Messages with growing ids, by WebSocket or by asking for them: what chat.js and conversation.js have in common.
import { CarillonError, Connection, newId, silent } from './carillon.js';

const HELD = 10_000;  // messages that wait for what was missed before them

// A failure that is over some time.
export const retry = (code, message) => Object.assign(new CarillonError(code, message), { retry: true });

// Asks again and again for what is new.
function polling(feed, token, on) {
  let over = false;
  const ask = async () => {
    try {
      await feed.poll();
      if (over) return;
      on.alive();
      on.open();
      feed.clock.setTimeout(() => { if (!over) ask(); }, feed.options.pollInterval);
    } catch (error) {
      on.close({ code: 1006, reason: error.message, status: error.status, retryAfter: error.retryAfter });
    }
  };
  ask();
  return { close: () => { over = true; } };
}
polling.kind = 'polling';

export class Feed extends Connection {
  #held = null;
  #turn = 0;
  #queue = [];
  #sending = false;
  #wake = null;
  #denied = false;
  #flows = false;

  constructor(options) {
    super({ base: '', afterId: 0, pageSize: 100, pollInterval: 3000, maxQueue: 1000, answerTimeout: 10_000, ...options }, async () => polling);
    this.lastId = this.options.afterId;
  }

  get queued() { return this.#queue.length; }

  // --- receiving ---

  opened() {
    if (this.isOpen) return;
    this.ready();
    if (this.transport === 'websocket') {
      this.#held ??= [];
      this.#flows = false;
      this.later('catch up', 1000, () => this.catchUp());
      this.ping();
    }
    this.#wake?.();
  }

  // The answer to a ping: from here on every message comes by itself, and not before.
  flows() {
    if (!this.#flows) this.catchUp();
    this.#flows = true;
  }

  closed() {
    this.#turn++;
    this.#held = null;
    this.never('catch up');
    this.#wake?.();
  }

  // Reads what came since the last message; what comes by itself meanwhile waits behind it.
  async catchUp() {
    this.never('catch up');
    const turn = ++this.#turn;
    this.#held ??= [];
    try {
      await this.poll(() => turn === this.#turn);
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error.status === 401) this.redial(4401, 'the token is refused');
      else this.later('catch up', 1000 * (1 + this.clock.random()) + 1000 * (error.retryAfter || 0), () => this.catchUp());
      return;
    }
    // Before that answer it waits on: it would hide what was said after this look and before the session began.
    if (turn !== this.#turn || !this.#flows) return;
    const held = this.#held;
    this.#held = null;
    for (const message of held.sort((a, b) => a.id - b.id)) this.#deliver(message);
  }

  async poll(wanted = () => true) {
    for (let more = true; more;) {
      const page = await this.page(this.lastId, this.options.pageSize);
      if (!wanted()) return;
      const before = this.lastId;
      for (const message of page.messages) {
        if (this.dense && before && this.lastId === before && message.id > before + 1) this.emit('$gap', before, message.id);
        this.#deliver(message);
      }
      more = page.has_more && this.lastId > before;
    }
  }

  // A message that came by itself.
  message(message) {
    if (this.#held) {
      if (this.#held.push(message) > HELD) this.redial(4431, 'too much waits');
    } else if (this.dense && message.id > this.lastId + 1) {
      this.#held = [message];
      this.catchUp();
    } else this.#deliver(message);
  }

  #deliver(message) {
    if (!Number.isSafeInteger(message?.id) || message.id <= this.lastId) return;
    this.lastId = message.id;
    this.emit('message', message);
  }

  received(text) {
    this.emit('$frame', text, false);
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      // Said below.
    }
    if (typeof frame?.type !== 'string') return this.report(new CarillonError('bad_json', 'a frame came that is no JSON object with a type'));
    const { type, data } = frame;
    if (type === 'drain') this.movesWithin(data?.reconnect_within_ms || 0);
    else if (type === 'resync') this.catchUp();
    else if (type === 'token_expiring') this.#refresh();
    this.notice(frame);
  }

  async #refresh() {
    if (typeof this.options.token !== 'function' || this.transport !== 'websocket') return;
    const token = await this.token(true).catch(() => null);
    // Without one the session ends, and the next one brings it.
    if (token) this.transmit({ type: 'refresh', token });
  }

  // --- sending: one after the other, each until it is answered ---

  queue(what) {
    const { maxQueue } = this.options;
    return silent(new Promise((resolve, reject) => {
      if (this.state === 'closed') throw new CarillonError('closed', 'the client is closed');
      if (this.#queue.length >= maxQueue) throw new CarillonError('queue_full', `${maxQueue} messages wait already`);
      this.#queue.push({ ...what, key: what.key ?? newId(), resolve, reject });
      this.#work();
    }));
  }

  async #work() {
    if (this.#sending) return;
    this.#sending = true;
    for (let tries = 0; this.#queue.length;) {
      const one = this.#queue[0];
      try {
        if (!this.isOpen) throw retry('offline', 'not connected');
        one.resolve(await this.deliver(one));
      } catch (error) {
        const renew = error.status === 401 && typeof this.options.token === 'function' && tries < 2;
        // Only what is still in the queue: the client may have been closed meanwhile.
        if ((error.retry || renew) && this.#queue[0] === one) {
          await this.#pause(error, tries++);
          continue;
        }
        one.reject(error);
      }
      if (this.#queue[0] === one) this.#queue.shift();
      tries = 0;
    }
    this.#sending = false;
  }

  // Until the connection changes, or for a while where it stands.
  #pause(error, tries) {
    const { minDelay, maxDelay } = this.options;
    return new Promise((resolve) => {
      this.#wake = () => {
        this.never('pause');
        this.#wake = null;
        resolve();
      };
      if (!this.isOpen) return;
      const wait = (0.5 + this.clock.random()) * Math.min(maxDelay, minDelay * 2 ** tries) + 1000 * (error.retryAfter || 0);
      const wake = this.#wake;
      this.later('pause', wait, wake);
    });
  }

  stopped(error) {
    for (const one of this.#queue.splice(0)) one.reject(error);
    this.#wake?.();
  }

  // --- HTTP ---

  async http(path, { method = 'GET', body, headers } = {}) {
    const { base, userId, clock } = this.options;
    const url = new URL(base + path, globalThis.location?.href);
    const token = await this.token(this.#denied);
    if (!token && userId) url.searchParams.set('user_id', userId);
    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(), this.options.answerTimeout);
    try {
      const response = await this.options.fetch(url.href, {
        method,
        signal: abort.signal,
        cache: 'no-store',
        headers: { ...(body && { 'Content-Type': 'application/json' }), ...(token && { Authorization: `Bearer ${token}` }), ...headers },
        body: typeof body === 'object' ? JSON.stringify(body) : body,
      });
      this.#denied = response.status === 401;
      const answer = await response.json().catch(() => null);
      if (response.ok && answer) return answer;
      throw Object.assign(new CarillonError(answer?.code ?? `http_${response.status}`, answer?.error ?? `HTTP ${response.status}`), {
        status: response.status,
        retry: response.status === 429 || response.status >= 500,
        retryAfter: Number(response.headers.get('Retry-After')) || 0,
      });
    } catch (error) {
      if (error instanceof CarillonError) throw error;
      throw retry('unreachable', error.message);
    } finally {
      clock.clearTimeout(timer);
    }
  }
}
