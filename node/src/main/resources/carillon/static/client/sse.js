// Server-sent events by fetch, so that the token goes in a header and Node can read them too (WHATWG HTML §9.2).
// Loaded only when it is needed.

export function events(client, token, on) {
  const abort = new AbortController();
  const read = async () => {
    const headers = { Accept: 'text/event-stream' };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (client.lastEventId) headers['Last-Event-ID'] = client.lastEventId;
    const response = await client.options.fetch(address(client, token), { headers, cache: 'no-store', signal: abort.signal });
    if (!response.ok) {
      abort.abort();
      return { status: response.status, retryAfter: response.headers.get('Retry-After') };
    }
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let end = { code: 1006, reason: 'the stream ended' };
    let event = {};
    let open = false;
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done || abort.signal.aborted) return end;
      on.alive();
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
        if (!line) {
          if (event.event === 'close') end = JSON.parse(event.data);
          else if (event.data !== undefined) on.message(event.data);
          // Only now: an event cut off in its middle has to come again.
          if (event.id && !abort.signal.aborted) {
            // The first says where the stream stands: what is published from here on comes.
            if (!open) on.open();
            open = true;
            client.lastEventId = event.id;
          }
          event = {};
          continue;
        }
        const [, name, text] = /^([^:]*):? ?(.*)$/.exec(line);
        if (name === 'data' && event.data !== undefined) event.data += `\n${text}`;
        else if (name === 'event' || name === 'data' || name === 'id') event[name] = text;
      }
    }
  };
  read().then(on.close, (error) => on.close({ code: 1006, reason: error.message }));
  return { close: () => abort.abort() };
}
events.kind = 'sse';

function address(client, token) {
  const { eventsUrl, userId } = client.options;
  const at = client.address();
  at.protocol = at.protocol.replace('ws', 'http');
  const url = new URL(eventsUrl ?? 'events', at);
  if (!url.search) url.search = at.search;
  client.user ??= userId ?? subject(token);
  const channels = ['broadcast', client.user && `user:${client.user}`, ...client.rooms.map((room) => `room:${room}`)];
  url.searchParams.set('channels', channels.filter(Boolean).slice(0, 32).join());
  return url.href;
}

function subject(token) {
  try {
    const claims = Uint8Array.from(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    return String(JSON.parse(new TextDecoder().decode(claims)).sub);
  } catch {
    return null;
  }
}
