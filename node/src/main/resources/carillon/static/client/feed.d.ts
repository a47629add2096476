import type { Connection, ConnectionOptions, OwnEvents } from './carillon.js';

export interface FeedOptions extends ConnectionOptions {
  /** `https://host`; the page's origin when left out. */
  base?: string;
  /** The last message that is known already: what came after it is read first. Default 0, all that is kept. */
  afterId?: number;
  /** Messages of one page. Default 100. */
  pageSize?: number;
  /** Between two questions while there is no WebSocket, milliseconds. Default 3,000. */
  pollInterval?: number;
  /** Messages that may wait. Default 1,000; more are refused with `queue_full`. */
  maxQueue?: number;
  /** For one answer of the server. Default 10,000 ms. */
  answerTimeout?: number;
}

export interface FeedEvents<Message> extends OwnEvents {
  /** Each once, by growing id, over whatever transport. */
  message: (message: Message) => void;
}

export class Feed<Types> extends Connection<Types> {
  /** Id of the last message that was handed on. */
  readonly lastId: number;
  /** Messages not answered yet. */
  readonly queued: number;
}
