/** Where an event stands in its channel: offsets grow by one within an epoch and compare only there. */
export interface Position {
  epoch: string;
  offset: number;
}

/** An event as it arrives. Fields of your own are passed on. */
export interface CarillonEvent<Content = any> {
  type: string;
  id?: string;
  from?: string;
  from_name?: string;
  from_kind?: string;
  to?: string;
  room?: string;
  content?: Content;
  timestamp?: number;
  /** These three only on durable events. */
  channel?: string;
  epoch?: string;
  offset?: number;
  /** Comes again until a session of the user acknowledges it. */
  ack?: boolean;
  [field: string]: unknown;
}

/** A message to send: to a user, to a room that was joined, or, with neither, to everyone (where the server allows it). */
export interface Message<Content = unknown> {
  /** `chat` when left out. */
  type?: string;
  to?: string;
  room?: string;
  content?: Content;
  /** The idempotency key; made by the client when left out. Must be unique, as a UUID is. */
  id?: string;
  /** `false`: not kept by the server, and sent at most once. */
  durable?: boolean;
  [field: string]: unknown;
}

export interface Sent extends Partial<Position> {
  id: string;
}

export interface Joined extends Position {
  room: string;
  /** Users in the room. */
  members: number;
}

export interface Presence {
  room: string;
  count: number;
  /** The first 1,000 of them. */
  users: string[];
}

export interface History extends Position {
  channel: string;
  events: CarillonEvent[];
}

export interface Welcome {
  session: string;
  user: string;
  node: string;
  heartbeat: number;
  channels: Record<string, Position>;
}

/** `idle` before the first `connect`, `waiting` between two tries, `closed` after `disconnect` or a final close. */
export type State = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

/** Why a connection ended. */
export interface Why {
  /** The close code. 4000 to 4499 and the standard ones come back, 4500 to 4999 do not. */
  code?: number;
  /** The HTTP status, where one could be seen. */
  status?: number;
  reason?: string;
  /** Until the next try, milliseconds; only in state `waiting`. */
  wait?: number;
}

/**
 * The code of the server (`not_in_room`, `not_allowed`, `bad_frame`, …) or of the client: `closed`, `disconnected`,
 * `in_doubt`, `offline`, `queue_full`, `timeout`, `too_large`, `bad_json`, `unreachable`.
 */
export class CarillonError extends Error {
  constructor(code: string, message?: string);
  code: string;
}

/** The browser's `WebSocket`, Node's own (22 and later) or that of the npm package `ws`. */
export type WebSocketLike = new (url: string, protocols?: string[]) => {
  readonly readyState: number;
  onopen: any;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(text: string): void;
  close(code?: number): void;
};

/** Time and chance, for tests. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** At least 0, less than 1. */
  random(): number;
  setTimeout(task: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** A token, or what brings one. `expired` means that the last one was refused or ends soon: bring a fresh one. */
export type Token = string | ((why: { expired: boolean }) => string | Promise<string>);

export interface ConnectionOptions {
  token?: Token;
  /** Instead of a token, where the server believes it (`carillon.auth.open-identity`). */
  userId?: string;
  /** `protocol` (default): in `Sec-WebSocket-Protocol`, in no address. `query`: as `?token=`. */
  tokenIn?: 'protocol' | 'query';
  /** Further parameters of the address. */
  query?: Record<string, string>;
  /** `globalThis.WebSocket` when left out. Without any the fallback serves alone. */
  WebSocket?: WebSocketLike;
  fetch?: typeof fetch;
  /** `false`: WebSocket or nothing. */
  fallback?: false;
  /** Tries that fail in a row before the fallback is tried. Default 3. */
  fallbackAfter?: number;
  /** How often a WebSocket is tried while the fallback serves, milliseconds, give or take a half. Default 60,000. */
  webSocketRetry?: number;
  /** Full jitter: the n-th wait is a random part of `minDelay · 2ⁿ`, never of more than `maxDelay`. Defaults 500 and 30,000 ms. */
  minDelay?: number;
  maxDelay?: number;
  /** A connection that held this long starts the waits anew. Default 10,000 ms. */
  stableAfter?: number;
  /** For one try, the token included. Default 10,000 ms. */
  connectTimeout?: number;
  /** A link quiet for this long is asked with a ping. Default: as often as the server pings (25,000 ms). */
  heartbeat?: number;
  /** And given up when it stays quiet for this long. Default 10,000 ms. */
  pongTimeout?: number;
  /** The same as `on('$state', …)` and so on. */
  onState?: (state: State, why?: Why) => void;
  onStop?: (why: Why) => void;
  onError?: (error: unknown) => void;
  clock?: Clock;
}

export interface CarillonOptions extends ConnectionOptions {
  /** Default `/api/ws/connect` of the page's origin. `http`, `https`, `ws` and `wss` are all understood. */
  url?: string;
  /** The event stream of the fallback. Default: `events` beside `url`. */
  eventsUrl?: string;
  /** Messages and questions that may wait for an answer. Default 1,000; more are refused with `queue_full`. */
  maxQueue?: number;
  /** Bytes of one message. Default 524,288; a larger one is refused with `too_large` before it is sent. */
  maxMessage?: number;
  /**
   * Messages under way at once. Default 32. With 1 the order holds even where the server refuses one for a moment
   * (`unavailable`) and takes the next.
   */
  window?: number;
  /** Sends at most this many a second, and this many at once, so that the server refuses none. Defaults 16 and 32; 0 = no limit. */
  rate?: number;
  burst?: number;
  /**
   * A message once sent and never answered is sent again, with the same id, this long (default 240,000 ms): as long as
   * the server surely knows the id. Later it is rejected with `in_doubt`.
   */
  resendWithin?: number;
  /** For `presence`, `history` and `request`. Default 10,000 ms. */
  requestTimeout?: number;
  /** Types that are never kept: sent at most once, and only while connected. Default `['typing']`. */
  ephemeral?: string[];
  /** `auto` (default): an event that asks for it is acknowledged after its handlers. `manual`: by `ack()`. */
  ack?: 'auto' | 'manual';
  /** Something of the channel is missing, and no longer kept: load the state anew. The same as `on('$gap', …)`. */
  onGap?: (channel: string, position: Position | null, why: string) => void;
}

export class Emitter<Types> {
  /** @returns what takes the handler away again */
  on<T extends keyof Types & string>(type: T, handler: Types[T]): () => void;
  once<T extends keyof Types & string>(type: T, handler: Types[T]): () => void;
  off<T extends keyof Types & string>(type: T, handler: (...what: any[]) => any): void;
}

/** What a client tells of itself. No event from outside can have such a name. */
export interface OwnEvents {
  $state: (state: State, why?: Why) => void;
  /** It will not come back by itself. */
  $stop: (why: Why) => void;
  /** An `error` frame that answers nothing, a frame that cannot be read, a handler that threw. */
  $error: (error: unknown) => void;
  /** Every frame, as text. */
  $frame: (text: string, sent: boolean) => void;
}

export interface CarillonEvents extends OwnEvents {
  $gap: (channel: string, position: Position | null, why: string) => void;
  /** Every event, after the handlers of its type. Not the server's own notices. */
  '*': (event: CarillonEvent) => unknown;
  welcome: (frame: Welcome) => void;
  joined: (frame: Joined) => void;
  left: (frame: { room: string }) => void;
  presence_join: (frame: { room: string; user: string; count: number }) => void;
  presence_leave: (frame: { room: string; user: string; count: number }) => void;
  drain: (frame: { reconnect_within_ms: number }) => void;
  token_expiring: (frame: { expires_in: number }) => void;
  degraded: (frame: object) => void;
  restored: (frame: object) => void;
  /** An event of this type. What an `async` handler does is awaited before an acknowledgement. */
  [type: string]: (event: any, ...more: any[]) => unknown;
}

export class Connection<Types = OwnEvents> extends Emitter<Types> {
  readonly state: State;
  readonly isOpen: boolean;
  /** Of the link there is, or is being made. */
  readonly transport: 'websocket' | 'sse' | 'polling' | null;
  /** Resolves with the first session, rejects when it is closed for good before. */
  connect(): Promise<void>;
  /** Ends it. What still waits is rejected with `closed`. `connect` goes on where it was. */
  disconnect(): void;
}

/** A session on the push endpoint that survives its connections. */
export class Carillon extends Connection<CarillonEvents> {
  constructor(options?: CarillonOptions);
  /** Of the current session. */
  readonly session: string | null;
  readonly user: string | null;
  readonly node: string | null;
  /** Joined, or being joined. */
  readonly rooms: string[];
  /** Messages and questions that wait for an answer. */
  readonly queued: number;
  /** How far a channel (`broadcast`, `user:<id>`, `room:<id>`) was processed. */
  position(channel: string): Position | null;
  /**
   * Sends, now or when it is connected again, in the order of the calls and once. Resolves when the server has it,
   * rejects with the server's code. `unavailable` and `rate_limited` are tried again.
   */
  send(message: Message): Promise<Sent>;
  /** Joined again after every reconnect, until `leave`. */
  join(room: string): Promise<Joined>;
  leave(room: string): Promise<{ room: string }>;
  presence(room: string): Promise<Presence>;
  history(channel: string, options?: { after?: number; limit?: number }): Promise<History>;
  /** Any frame that is answered by `ref`. */
  request(frame: { type: string; [field: string]: unknown }, options?: { timeout?: number }): Promise<any>;
  /** For `ack: 'manual'`. False when there is no connection: the event will come again. */
  ack(event: { id: string; channel?: string }): boolean;
}
