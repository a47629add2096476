// What the tests have in common.
export const client = new URL('../../main/resources/carillon/static/client/', import.meta.url);

/** Lets everything run that waits for nothing but its turn. */
export const turn = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** Time that goes on only when a test says so, and chance that is a number. */
export class FakeClock {
  time = 1_000_000;
  chance = 0.5;
  #timers = new Map();
  #ids = 0;

  now = () => this.time;
  random = () => this.chance;
  setTimeout = (task, ms) => {
    this.#timers.set(++this.#ids, { at: this.time + ms, task });
    return this.#ids;
  };
  clearTimeout = (id) => this.#timers.delete(id);

  get waiting() { return this.#timers.size; }

  async advance(ms) {
    const until = this.time + ms;
    for (;;) {
      await turn();
      const due = [...this.#timers].filter(([, { at }]) => at <= until).sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].task();
    }
    this.time = until;
    await turn();
  }
}

/** Sockets whose other end is the test. */
export function sockets() {
  return class Socket {
    static all = [];
    static get last() { return this.all.at(-1); }
    sent = [];
    closed = null;
    readyState = 0;

    constructor(url, protocols) {
      this.url = url;
      this.protocols = protocols;
      Socket.all.push(this);
    }

    send(text) { this.sent.push(JSON.parse(text)); }
    close(code) { this.closed = code; }
    frames(type) { return this.sent.filter((frame) => frame.type === type); }

    // The server's side.
    open() {
      this.readyState = 1;
      this.onopen({});
    }
    frame(frame) { this.onmessage({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) }); }
    end(code, reason = '') {
      this.readyState = 3;
      this.onclose({ code, reason });
    }
    welcome(channels = {}, more = {}) {
      this.open();
      this.frame({ type: 'welcome', session: 's', user: 'u1', node: 'n', heartbeat: 25000, channels, ...more });
    }
  };
}
