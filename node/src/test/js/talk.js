// Clients that talk to each other while somebody breaks the cluster; runs in Node and in a browser.
// Each writes to the next one and to a room they share. What everybody saw must be all of it, once, in order.
export function talk(Carillon, { name, size, options }) {
  const room = `${name}-room`;
  const progress = { answered: 0, returns: 0, problems: [] };
  const problem = (what) => { if (progress.problems.length < 20) progress.problems.push(what); };
  const all = Array.from({ length: size }, (_, i) => ({ user: `${name}-${i}`, direct: 0, inRoom: 0, sent: [], got: [], room: [] }));

  const begin = async () => {
    for (const one of all) {
      const client = new Carillon({ ...options, userId: one.user });
      one.client = client;
      client.on('direct', ({ content }) => one.got.push(content));
      client.on('said', ({ from, content }) => one.room.push(`${from} ${content}`));
      client.on('$gap', (...what) => problem(`${one.user}: gap ${JSON.stringify(what)}`));
      client.on('$error', (error) => problem(`${one.user}: ${error}`));
      client.on('$stop', (why) => problem(`${one.user}: stopped ${JSON.stringify(why)}`));
      client.on('$state', (state, why) => {
        if (state === 'waiting') progress.returns++;
        if (state === 'waiting' && why.wait > 20_000) problem(`${one.user}: waits ${why.wait}`);
      });
      await client.connect();
      await client.join(room);
    }
  };
  const send = (one, message) => one.sent.push(one.client.send(message).then(
    () => { progress.answered++; },
    (error) => problem(`${one.user}: ${message.type} ${message.content}: ${error.code} ${error.message}`),
  ));
  const say = () => all.forEach((one, i) => {
    if (one.direct === one.inRoom) send(one, { type: 'direct', to: all[(i + 1) % size].user, content: ++one.direct });
    else send(one, { type: 'said', room, content: ++one.inRoom });
  });
  const same = (what, is, wanted) => {
    if (is.join() === wanted.join()) return;
    const at = wanted.findIndex((value, i) => is[i] !== value);
    problem(`${what}: ${is.length} of ${wanted.length}, other from ${at} on: ${is.slice(at < 0 ? wanted.length : at, at + 5)} for ${wanted.slice(at, at + 5)}`);
  };
  const counted = (n) => Array.from({ length: n }, (_, i) => i + 1);

  let ready;
  let timer;
  return {
    progress,
    start() {
      ready = begin();
      ready.then(() => { timer = setInterval(say, 200); }, (error) => problem(`start: ${error}`));
      return ready;
    },
    async end() {
      await ready;
      clearInterval(timer);
      await Promise.all(all.flatMap(({ sent }) => sent));
      const others = (one) => all.reduce((sum, { inRoom }) => sum + inRoom, 0) - one.inRoom;
      const complete = () => all.every((one, i) => one.got.length >= all[(i + size - 1) % size].direct && one.room.length >= others(one));
      for (const until = Date.now() + 20_000; !complete() && Date.now() < until;) await new Promise((resolve) => { setTimeout(resolve, 50); });
      all.forEach((one, i) => {
        same(`${one.user} direct`, one.got, counted(all[(i + size - 1) % size].direct));
        for (const other of all) {
          if (other === one) continue;
          const from = one.room.filter((said) => said.startsWith(`${other.user} `));
          same(`${one.user} in the room from ${other.user}`, from, counted(other.inRoom).map((n) => `${other.user} ${n}`));
        }
        // What two saw, they saw in the same order.
        const next = all[(i + 1) % size];
        const both = (said) => !said.startsWith(`${one.user} `) && !said.startsWith(`${next.user} `);
        same(`the room for ${one.user} and ${next.user}`, one.room.filter(both), next.room.filter(both));
      });
      all.forEach(({ client }) => client.disconnect());
      return { ...progress, sent: all.reduce((sum, { direct, inRoom }) => sum + direct + inRoom, 0) };
    },
  };
}
