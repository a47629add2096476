// Contract: carillon.d.ts.

const real = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (task, ms) => setTimeout(task, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

export class CarillonError extends Error {
  constructor(code, message = code) {
    super(message);
    this.name = 'CarillonError';
    this.code = code;
  }
}

export class Emitter {
  #handlers = new Map();

  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => this.off(type, handler);
  }

  once(type, handler) {
    const first = (...what) => {
      this.off(type, first);
      return handler(...what);
    };
    first.of = handler;
    return this.on(type, first);
  }

  off(type, handler) {
    const all = this.#handlers.get(type);
    for (const one of all ?? []) if (one === handler || one.of === handler) all.delete(one);
  }

  // What each handler returned; what one threw, as a rejected promise.
  emit(type, ...what) {
    return [...this.#handlers.get(type) ?? []].map((handler) => {
      try {
        return handler(...what);
      } catch (error) {
        if (type === '$error') console.error(error);
        else this.report(error);
        return silent(Promise.reject(error));
      }
    });
  }

  report(error) {
    if (this.#handlers.get('$error')?.size) this.emit('$error', error);
    else console.error(error);
  }
}

// A failure nobody waits for does not end a process.
export function silent(promise) {
  promise.catch(() => {});
  return promise;
}

export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function webSocket({ options, address }, token, on) {
  const inQuery = options.tokenIn === 'query';
  const url = address(token && inQuery ? { token } : {});
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new options.WebSocket(url.href, token && !inQuery ? ['bearer', token] : []);
  let opened = false;
  socket.onopen = () => {
    opened = true;
    on.open();
  };
  socket.onmessage = ({ data }) => on.message(String(data));
  socket.onclose = on.close;
  // Node does not always say that a handshake that failed is closed.
  socket.onerror = () => { if (!opened) on.close({ code: 1006, reason: 'refused' }); };
  return {
    send(text) {
      if (socket.readyState !== 1) throw new Error();
      socket.send(text);
    },
    close: () => socket.close(1000),
  };
}
webSocket.kind = 'websocket';

export class Connection extends Emitter {
  #wanted = false;
  #state = 'idle';
  #link = null;
  #probe = null;
  #turn = 0;
  #failures = 0;  // dials in a row that led to no session
  #attempts = 0;  // closes since a session last held for a while
  #denied = 0;    // tokens refused in a row
  #openedAt = 0;
  #heard = 0;
  #moveAt = 0;
  #timers = new Map();
  #first = null;

  constructor(options, fallback) {
    super();
    this.options = {
      minDelay: 500, maxDelay: 30_000, connectTimeout: 10_000, pongTimeout: 10_000, stableAfter: 10_000, fallbackAfter: 3,
      webSocketRetry: 60_000, WebSocket: globalThis.WebSocket, fetch: globalThis.fetch?.bind(globalThis), clock: real, ...options,
    };
    this.clock = this.options.clock;
    this.fallback = this.options.fallback === false ? null : fallback;
    for (const name of ['State', 'Gap', 'Stop', 'Error']) {
      const handler = this.options[`on${name}`];
      if (handler) this.on(`$${name.toLowerCase()}`, handler);
    }
  }

  get state() { return this.#state; }
  get isOpen() { return this.#state === 'open'; }
  get transport() { return this.#link?.kind ?? null; }

  connect() {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#failures = this.#attempts = this.#denied = 0;
      const first = {};
      first.promise = silent(new Promise((resolve, reject) => Object.assign(first, { resolve, reject })));
      this.#first = first;
      globalThis.addEventListener?.('online', this.#wake);
      globalThis.document?.addEventListener('visibilitychange', this.#wake);
      this.#dial();
    }
    return this.#first.promise;
  }

  disconnect() {
    if (this.#wanted) this.#stop({ code: 1000, reason: 'disconnected' });
  }

  // For dialects.

  opened() { this.ready(); }
  closed() {}
  stopped() {}
  received() {}
  ping() {}
  beat() { return this.options.heartbeat ?? 25_000; }

  address = (query) => {
    const { url: path, query: more, userId } = this.options;
    const url = new URL(path, globalThis.location?.href);
    url.hash = '';
    for (const [name, value] of Object.entries({ ...more, ...(userId && { user_id: userId }), ...query })) url.searchParams.set(name, value);
    return url;
  };

  async token(expired = false) {
    const { token } = this.options;
    return typeof token === 'function' ? token({ expired }) : token;
  }

  // One timer of each name.
  later(name, ms, task) {
    this.never(name);
    this.#timers.set(name, this.clock.setTimeout(() => {
      this.#timers.delete(name);
      task();
    }, Math.max(0, ms)));
  }

  never(name) {
    this.clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  transmit(frame) {
    const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
    try {
      this.#link.send(text);
    } catch {
      return false;
    }
    this.emit('$frame', text, true);
    return true;
  }

  ready() {
    if (this.isOpen) return;
    this.#openedAt = this.clock.now();
    this.#denied = this.#moveAt = 0;
    if (this.transport === 'websocket') this.#failures = 0;
    else if (this.options.WebSocket) this.#probeLater();
    this.never('connect');
    this.#watch();
    this.#set('open');
    this.#first.resolve();
  }

  movesWithin(ms) {
    this.#moveAt = this.clock.now() + this.clock.random() * ms;
  }

  // Ends the link and comes back.
  redial(code, reason, now = false) {
    this.#lost({ code, reason, now });
  }

  #set(state, why) {
    if (this.#state === state) return;
    this.#state = state;
    this.emit('$state', state, why);
  }

  #wake = () => {
    if (globalThis.document?.hidden) return;
    if (this.#state === 'waiting') this.later('dial', this.clock.random() * this.options.minDelay, () => this.#dial());
    else if (this.isOpen) {
      this.#heard = Math.min(this.#heard, this.clock.now() - this.beat());
      this.#watch();
    }
  };

  async #dial() {
    const turn = ++this.#turn;
    this.#set('connecting');
    this.later('connect', this.options.connectTimeout, () => this.redial(1006, 'no answer in time'));
    const past = this.#failures - this.options.fallbackAfter;
    const falls = this.fallback && (!this.options.WebSocket || past >= 0 && past % 2 === 0);
    try {
      const make = falls ? await this.fallback() : webSocket;
      const token = await this.token(this.#denied > 0);
      if (turn !== this.#turn) return;
      this.#link = this.#start(make, token, () => this.opened(), (why) => this.#lost(why));
    } catch (error) {
      if (turn === this.#turn) this.#lost({ code: 1006, reason: `no token: ${error?.message ?? error}` });
    }
  }

  #start(make, token, open, close) {
    let over = false;
    let handle;
    const ifLive = (task) => (what) => {
      if (over) return;
      this.#heard = this.clock.now();
      task(what);
    };
    const link = {
      kind: make.kind,
      send: (text) => handle.send(text),
      drop() {
        over = true;
        handle?.close();
      },
    };
    const on = {
      open: ifLive(() => open(link)),
      message: ifLive((text) => this.received(text)),
      alive: ifLive(() => {}),
      close: ifLive(({ code, reason, status, retryAfter, fatal }) => {
        over = true;
        close({ code, reason, status, retryAfter, fatal });
      }),
    };
    try {
      handle = make(this, token, on);
    } catch (error) {
      // An address or a token that no socket takes.
      this.clock.setTimeout(() => on.close({ code: 1006, reason: error.message, fatal: true }), 0);
    }
    return link;
  }

  #drop(why) {
    this.#turn++;
    for (const name of ['connect', 'watch', 'probe', 'dial']) this.never(name);
    this.#link?.drop();
    this.#probe?.drop();
    this.#link = this.#probe = null;
    this.closed(why);
  }

  #lost(why) {
    const { code, status } = why;
    const { minDelay, maxDelay, stableAfter, token } = this.options;
    const now = this.clock.now();
    const { isOpen, transport } = this;
    if (!isOpen) this.#failures++;
    this.#attempts = isOpen && now - this.#openedAt >= stableAfter ? 0 : this.#attempts + 1;
    const expired = status === 401 || code === 4401;
    if (expired) this.#denied++;
    const noFallback = status === 404 && transport !== 'websocket';
    if (noFallback) this.fallback = null;
    const canRenew = typeof token === 'function' && this.#denied < 3;
    if (why.fatal || code >= 4500 && code < 5000 || [400, 403, 404].includes(status) && !noFallback || expired && !canRenew) {
      return this.#stop(why);
    }
    this.#drop(why);
    const overloaded = code === 1013 || code === 4429;
    if (overloaded) this.#attempts = Math.max(this.#attempts, 4);
    let wait = this.clock.random() * Math.min(maxDelay, minDelay * 2 ** this.#attempts);
    if (overloaded) wait += 1000;
    if (why.retryAfter > 0) wait += Math.min(why.retryAfter * 1000, 300_000);
    if (code === 1012 && this.#moveAt) wait = Math.max(0, this.#moveAt - now);
    if (why.now) wait = 0;
    this.later('dial', wait, () => this.#dial());
    this.#set('waiting', { ...why, wait });
  }

  #stop(why) {
    this.#wanted = false;
    this.#drop(why);
    for (const name of [...this.#timers.keys()]) this.never(name);
    globalThis.removeEventListener?.('online', this.#wake);
    globalThis.document?.removeEventListener('visibilitychange', this.#wake);
    const error = new CarillonError('closed', `closed: ${[why.status ?? why.code, why.reason].filter(Boolean).join(' ')}`);
    this.#first.reject(error);
    this.#set('closed', why);
    this.stopped(error);
    if (why.code !== 1000) this.emit('$stop', why);
  }

  // Browsers do not show the server's pings.
  #watch() {
    const { pongTimeout } = this.options;
    const beat = this.beat();
    const quiet = this.clock.now() - this.#heard;
    if (quiet >= beat + pongTimeout) return this.redial(4408, 'no answer to a ping');
    if (quiet >= beat) this.ping();
    this.later('watch', (quiet >= beat ? beat + pongTimeout : beat) - quiet, () => this.#watch());
  }

  // While a fallback serves; a WebSocket takes over once it is open.
  #probeLater() {
    const { webSocketRetry, connectTimeout } = this.options;
    this.later('probe', webSocketRetry * (0.5 + this.clock.random()), async () => {
      const turn = this.#turn;
      const token = await this.token().catch(() => null);
      if (turn !== this.#turn) return;
      const again = () => {
        this.#probe?.drop();
        this.#probe = null;
        this.#probeLater();
      };
      this.later('probe', connectTimeout, again);
      this.#probe = this.#start(webSocket, token, (link) => {
        this.#probe = null;
        this.#drop({ code: 1000, reason: 'a WebSocket takes over' });
        this.#link = link;
        this.#set('connecting');
        this.later('connect', connectTimeout, () => this.redial(1006, 'no answer in time'));
        this.opened();
      }, (why) => (this.#link?.kind === 'websocket' ? this.#lost(why) : again()));
    });
  }
}

const REMEMBERED = 4096;  // ids
const HELD = 4096;        // events of one channel
const AT_ONCE = 200;      // channels in one resume

const keyOf = (channel, id) => `${channel ?? ''} ${id}`;
const isPlaced = ({ channel, epoch, offset }) => typeof channel === 'string' && typeof epoch === 'string' && Number.isSafeInteger(offset);

export class Carillon extends Connection {
  #positions = new Map();  // channel -> {epoch, offset} last processed
  #rooms = new Set();
  #pending = new Map();    // ref -> what waits for its answer
  #ids = new Map();        // channel and id -> 'own', 'busy' or 'done': what was seen lately
  #resuming = new Map();   // ref -> channels asked for
  #held = new Map();       // channel -> events that wait for its resume
  #starts = new Map();     // channel -> where the session began to get it by itself
  #behind = new Set();     // channels whose position an event stream does not continue
  #refs = 0;
  #tokens;
  #filledAt;
  #pausedUntil = 0;
  #serverBeat = 25_000;
  lastEventId = null;
  session = null;
  user = null;
  node = null;

  constructor(options) {
    super({
      url: '/api/ws/connect', maxQueue: 1000, maxMessage: 512 * 1024, window: 32, rate: 16, burst: 32, resendWithin: 240_000,
      requestTimeout: 10_000, ephemeral: ['typing'], ack: 'auto', ...options,
    }, async () => (await import('./sse.js')).events);
    this.#tokens = this.options.burst;
    this.#filledAt = this.clock.now();
  }

  get rooms() { return [...this.#rooms]; }
  get queued() { return this.#pending.size; }
  position(channel) { return this.#positions.get(channel) ?? null; }

  send(message) {
    const frame = { type: 'chat', ...message };
    frame.id ??= newId();
    return this.#ask(frame, { message: true, once: frame.durable === false || this.options.ephemeral.includes(frame.type) });
  }

  join(room) {
    this.#rooms.add(room);
    this.#restream();
    const joined = this.#ask({ type: 'join', room });
    joined.catch(() => this.#rooms.delete(room));
    return joined;
  }

  leave(room) {
    this.#forget(room);
    this.#restream();
    return this.#ask({ type: 'leave', room });
  }

  presence(room) { return this.request({ type: 'presence', room }); }
  history(channel, { after, limit } = {}) { return this.request({ type: 'history', channel, after, limit }); }
  request(frame, { timeout = this.options.requestTimeout } = {}) { return this.#ask(frame, { timeout }); }

  ack({ channel = `user:${this.user}`, id }) {
    this.#remember(keyOf(channel, id), 'done');
    return this.transmit({ type: 'ack', id });
  }

  #ask(frame, { message, once, timeout } = {}) {
    const ref = String(++this.#refs);
    const { maxQueue, maxMessage } = this.options;
    return silent(new Promise((resolve, reject) => {
      if (this.state === 'closed') throw new CarillonError('closed', 'the client is closed');
      if (once && !this.#connected) throw new CarillonError('offline', 'not connected, and not kept');
      if (this.#pending.size >= maxQueue) throw new CarillonError('queue_full', `${maxQueue} messages wait already`);
      const text = JSON.stringify({ ...frame, ref });
      if (text.length * 3 > maxMessage && new TextEncoder().encode(text).length > maxMessage) {
        throw new CarillonError('too_large', `a message has ${maxMessage} bytes at most`);
      }
      this.#pending.set(ref, { frame, text, message, once, resolve, reject, sent: false, since: 0 });
      if (timeout) this.later(`ref ${ref}`, timeout, () => this.#settle(ref, new CarillonError('timeout', `no answer to ${frame.type} in time`)));
      this.#flush();
    }));
  }

  #settle(ref, answer) {
    const waiting = this.#pending.get(ref);
    if (!waiting) return;
    this.#pending.delete(ref);
    this.never(`ref ${ref}`);
    if (answer instanceof Error) waiting.reject(answer);
    else waiting.resolve(answer);
  }

  get #connected() { return this.isOpen && this.transport === 'websocket'; }

  // In the order of the calls, no faster than the server takes it.
  #flush() {
    if (!this.#connected || this.#resuming.size) return;
    const now = this.clock.now();
    const { window, rate, burst, resendWithin } = this.options;
    const wait = (ms) => this.later('flush', ms, () => this.#flush());
    if (now < this.#pausedUntil) return wait(this.#pausedUntil - now);
    this.#tokens = rate ? Math.min(burst, this.#tokens + (now - this.#filledAt) * rate / 1000) : Infinity;
    this.#filledAt = now;
    let flying = 0;
    for (const { message, sent } of this.#pending.values()) if (message && sent) flying++;
    for (const [ref, waiting] of this.#pending) {
      if (waiting.sent) continue;
      if (waiting.message) {
        if (flying++ >= window) return;
        if (waiting.since && now - waiting.since > resendWithin) {
          // The server may have had it, and forgotten its id since.
          this.#settle(ref, new CarillonError('in_doubt', 'sent without an answer, too long ago to send again'));
          continue;
        }
      }
      if (this.#tokens < 1) return wait(Math.ceil((1 - this.#tokens) * 1000 / rate));
      this.#tokens--;
      if (waiting.message) this.#remember(keyOf(this.#ownChannel(waiting.frame), waiting.frame.id), 'own');
      waiting.sent = true;
      waiting.since ||= now;
      if (!this.transmit(waiting.text)) return;
    }
  }

  // Where the client's own message comes back to its user.
  #ownChannel({ to, room }) { return to ? `user:${this.user}` : room ? `room:${room}` : 'broadcast'; }

  beat() { return (this.options.heartbeat ?? this.#serverBeat) * (this.transport === 'sse' ? 2 : 1); }
  ping() { this.transmit('{"type":"ping"}'); }

  opened() {
    // Before the welcome: what comes by itself meanwhile is as little as can be.
    if (this.transport === 'websocket') return this.#resume([...this.#positions.keys()]);
    if (!this.lastEventId) this.#behind = new Set(this.#positions.keys());
    this.ready();
  }

  // The rooms of an event stream are in its address.
  #restream() { if (this.transport === 'sse') this.redial(1000, 'other rooms', true); }

  closed({ code }) {
    for (const map of [this.#resuming, this.#held, this.#starts]) map.clear();
    for (const name of ['resume', 'flush']) this.never(name);
    let largest;
    for (const [ref, waiting] of this.#pending) {
      if (!waiting.sent) continue;
      waiting.sent = false;
      if (waiting.once) this.#settle(ref, new CarillonError('disconnected', 'the connection was lost before the answer'));
      else if (!(waiting.text.length <= largest?.size)) largest = { ref, size: waiting.text.length };
    }
    // Sent again it would end the next session, too.
    if (code === 1009 && largest) this.#settle(largest.ref, new CarillonError('too_large', 'the server takes no message as large'));
  }

  stopped(error) { for (const ref of [...this.#pending.keys()]) this.#settle(ref, error); }

  #resume(labels) {
    for (let i = 0; i < labels.length; i += AT_ONCE) {
      const ref = `resume ${++this.#refs}`;
      const some = labels.slice(i, i + AT_ONCE);
      this.#resuming.set(ref, some);
      for (const label of some) if (!this.#held.has(label)) this.#held.set(label, []);
      this.transmit({ type: 'resume', ref, channels: Object.fromEntries(some.map((label) => [label, this.#positions.get(label)])) });
    }
  }

  #resumeLater(labels) {
    this.#resuming.set(null, [...this.#resuming.get(null) ?? [], ...labels]);
    this.later('resume', 1000 + this.clock.random() * 1000, () => {
      const again = this.#resuming.get(null).filter((label) => this.#positions.has(label));
      this.#resuming.delete(null);
      this.#resume(again);
      this.#flush();
    });
  }

  received(text) {
    this.emit('$frame', text, false);
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {}
    // Names with $ are the client's own.
    if (typeof frame?.type !== 'string' || /^[$*]/.test(frame.type)) this.report(new CarillonError('bad_json', 'no JSON object with a type came'));
    else if (this.#notice(frame)) this.emit(frame.type, frame);
    else this.#event(frame);
  }

  // False for an event.
  #notice(frame) {
    const { type, ref, room, channel, epoch, offset } = frame;
    switch (type) {
      case 'welcome': this.#welcome(frame); break;
      case 'sent': this.#sent(frame); break;
      case 'error': this.#refused(frame); break;
      case 'joined':
        this.#rooms.add(room);
        if (epoch && !this.#positions.has(`room:${room}`)) this.#positions.set(`room:${room}`, { epoch, offset });
        this.#settle(ref, frame);
        break;
      case 'left':
        if (ref === undefined) this.#forget(room);
        this.#settle(ref, frame);
        break;
      case 'resumed': this.#resumed(frame); break;
      case 'resync':
        // During a resume its answer says the same.
        if (this.#held.has(channel)) break;
        this.#behind.delete(channel);
        this.#positions.set(channel, { epoch, offset });
        this.emit('$gap', channel, { epoch, offset }, type);
        break;
      case 'drain': this.movesWithin(frame.reconnect_within_ms || 0); break;
      case 'token_expiring': this.#refresh(); break;
      case 'restored':
        this.#pausedUntil = 0;
        this.#flush();
        break;
      case 'presence': case 'history': case 'pong': case 'refreshed': this.#settle(ref, frame); break;
      case 'presence_join': case 'presence_leave': case 'degraded': break;
      default: return false;
    }
    return true;
  }

  #welcome({ session, user, node, heartbeat, channels }) {
    if (this.user !== null && this.user !== user) this.#positions.delete(`user:${this.user}`);
    Object.assign(this, { session, user, node, lastEventId: null });
    if (heartbeat > 0) this.#serverBeat = heartbeat;
    for (const [label, position] of Object.entries(channels ?? {})) {
      this.#starts.set(label, position);
      if (!this.#positions.has(label)) this.#positions.set(label, position);
    }
    this.ready();
    this.#flush();
  }

  #sent({ ref, id, epoch, offset, self }) {
    const frame = this.#pending.get(ref)?.frame;
    if (!frame) return;
    this.#settle(ref, { id, epoch, offset });
    // It counts as seen, unless something before it is still on its way.
    const channel = this.#ownChannel(frame);
    const own = self ?? { epoch, offset };
    const at = this.#positions.get(channel);
    if ((self || !frame.to || frame.to === this.user) && at?.epoch === own.epoch && own.offset === at.offset + 1 && !this.#behind.has(channel)) {
      this.#positions.set(channel, own);
    }
    this.#flush();
  }

  #refused({ ref, code, error }) {
    const waiting = this.#pending.get(ref);
    const labels = this.#resuming.get(ref);
    if (labels) {
      this.#resuming.delete(ref);
      this.#resumeLater(labels);
    } else if (waiting && !waiting.once && (code === 'unavailable' || code === 'rate_limited')) {
      waiting.sent = false;
      this.#pausedUntil = this.clock.now() + 1000 + this.clock.random() * 500;
    } else if (waiting) this.#settle(ref, new CarillonError(code, error));
    else this.report(new CarillonError(code, error));
    this.#flush();
  }

  #resumed({ ref, channels }) {
    const labels = this.#resuming.get(ref);
    if (!labels) return;
    this.#resuming.delete(ref);
    const results = new Map(Object.entries(channels));
    const again = [];
    for (const label of labels) {
      const { recovered, code, epoch, offset } = results.get(label) ?? { code: 'unavailable' };
      if (code === 'unavailable' || code === 'busy') {
        again.push(label);
        continue;
      }
      const position = epoch ? { epoch, offset } : null;
      const held = this.#held.get(label) ?? [];
      this.#held.delete(label);
      this.#behind.delete(label);
      if (!recovered) {
        this.#positions.delete(label);
        if (code && label.startsWith('room:')) this.#forget(label.slice(5));
        this.emit('$gap', label, position, code ?? 'lost');
      }
      held.sort((a, b) => (a.epoch === b.epoch ? a.offset - b.offset : 0));
      for (const event of held) this.#take(event);
      const at = this.#positions.get(label);
      if (position && !code && (at?.epoch !== epoch || at.offset < offset)) this.#positions.set(label, position);
    }
    if (again.length) this.#resumeLater(again);
    this.#flush();
  }

  #event(event) {
    const { channel, epoch, offset } = event;
    const held = isPlaced(event) && this.#held.get(channel);
    const start = this.#starts.get(channel);
    // What was missed comes in order; what came by itself before it waits.
    if (!held || start?.epoch === epoch && offset <= start.offset) this.#take(event);
    else if (held.push(event) > HELD) this.redial(4431, 'too much waits for a resume');
  }

  #take(event) {
    const { type, id, channel, epoch, offset, ack } = event;
    const placed = isPlaced(event);
    const at = placed && this.#positions.get(channel);
    // One to be acknowledged may come first when its place is long past, or the whole epoch is.
    const old = at && (at.epoch === epoch ? offset <= at.offset : ack && offset !== at.offset + 1);
    if (old && !ack) return;
    const key = typeof id === 'string' && keyOf(channel, id);
    const known = key && this.#ids.get(key);
    if (known === 'done' && ack) this.ack(event);
    if (!known) {
      if (key) this.#remember(key, ack ? 'busy' : 'done');
      const results = [...this.emit(type, event), ...this.emit('*', event)];
      if (ack) this.#acknowledge(event, key, results);
    }
    const tracked = placed && (!channel.startsWith('room:') || this.#rooms.has(channel.slice(5)));
    if (tracked && !old && !(at && this.#behind.has(channel))) this.#positions.set(channel, { epoch, offset });
  }

  // After its handlers, and only if there were any and none failed: else it comes again.
  #acknowledge(event, key, results) {
    if (!results.length) this.#ids.delete(key);
    else if (this.options.ack !== 'manual') Promise.all(results).then(() => this.ack(event), () => this.#ids.delete(key));
  }

  #remember(key, state) {
    this.#ids.delete(key);
    this.#ids.set(key, state);
    if (this.#ids.size > REMEMBERED) this.#ids.delete(this.#ids.keys().next().value);
  }

  #forget(room) {
    this.#rooms.delete(room);
    this.#positions.delete(`room:${room}`);
    this.#held.delete(`room:${room}`);
  }

  async #refresh() {
    if (typeof this.options.token !== 'function' || !this.#connected) return;
    try {
      await this.request({ type: 'refresh', token: await this.token(true) });
    } catch {
      // The next session brings a fresh one.
    }
  }
}
