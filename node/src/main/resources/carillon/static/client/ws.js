// The npm package ws as it is needed here: why a handshake was refused, and when to come again, is not lost.

export function nodeWebSocket(WebSocket) {
  return class extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols);
      this.on('unexpected-response', (request, { statusCode, headers }) => {
        this.onclose?.({ code: 1006, reason: '', status: statusCode, retryAfter: headers['retry-after'] });
        request.destroy();
      });
    }
  };
}
