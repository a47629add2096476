import type { WebSocketLike } from './carillon.js';

/** The `WebSocket` of the npm package `ws`, for the option of that name; it shows refusals and `Retry-After`. */
export function nodeWebSocket(WebSocket: any): WebSocketLike;
