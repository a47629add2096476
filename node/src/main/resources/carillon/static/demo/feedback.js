// A feedback desk: one panel each for a user, a merchant and an admin, each with a session of its own.
import { Connection, newId } from '../client/carillon.js';
import { $, append, bubble, command, copyOf, element, follow, hush, note, say, t, worded } from './demo.js';

const PEOPLE = [
  { id: 1, type: 1, name: 'Ada', look: 'first' },
  { id: 2, type: 2, name: 'Ben', look: 'second' },
  { id: 3, type: 3, name: 'Cleo', look: 'third' },
];
const STATUSES = ['open', 'working', 'done'];
const TYPING_EVERY_MS = 2000;

const receiver = ({ id, type, name }) => ({ id, type, name });
const same = (one, other) => one?.id === other?.id && one?.type === other?.type;
const look = (person) => PEOPLE.find((one) => one.type === person.type)?.look ?? 'first';

/** The feedback dialect over the connection of the client library: each frame is an event. */
class Desk extends Connection {
  constructor({ id, type, name }, token) {
    super({ url: '/ws/feedback', query: { user_id: id, user_type: type, user_name: name }, token });
  }

  send(event, data, to) {
    return this.transmit({ event, timestamp: new Date().toISOString(), ...(to && { receiver: receiver(to) }), data });
  }

  ping() { this.transmit({ event: 'ping' }); }

  received(text) {
    this.emit('$frame', text, false);
    const frame = JSON.parse(text);
    if (frame.event === 'drain') this.movesWithin(frame.data?.reconnect_within_ms ?? 0);
    this.emit(frame.event, frame);
  }
}

function panel(me) {
  const node = copyOf('desk');
  const [cases, log, typing, composer, file, entry] = ['.cases', '.log', '.typing', '.composer', '.file', '.entry'].map((part) => $(part, node));
  const unread = new Map();    // message id -> who sent it
  const shown = new Map();     // message id -> its bubble
  const listed = new Map();    // feedback id -> its entry
  let desk = null;
  let typedAt = 0;
  let silence = 0;

  node.id = `desk-${me.type}`;
  node.classList.add(me.look);
  node.setAttribute('aria-labelledby', `role-${me.type}`);
  $('.role', node).id = `role-${me.type}`;
  say($('.role', node), `feedback.role.${me.type}`);
  $('.name', node).textContent = me.name;
  command($('.how', node), `scripts/token --user ${me.type}:${me.id} --claim name=${me.name}`);
  file.hidden = me.type !== 1;
  for (const other of PEOPLE) if (!same(other, me)) composer.to.append(new Option(other.name, other.type));

  function start(token) {
    desk?.disconnect();
    desk = new Desk(me, token);
    follow(desk, node, () => { entry.open = true; });
    for (const [event, handle] of Object.entries(handlers)) desk.on(event, handle);
    desk.connect();
  }

  const handlers = {
    connect({ sender }) { note(log, same(sender, me) ? 'feedback.you.connect' : 'feedback.connect', { name: sender.name }); },
    disconnect({ sender }) { note(log, 'feedback.disconnect', { name: sender.name }); },
    message({ id, timestamp, sender, receiver: to, data }) {
      if (shown.has(id)) return;
      const mine = same(sender, me);
      const item = bubble(log, { from: mine ? `→ ${to?.name ?? ''}` : sender?.name ?? '–', content: data?.content ?? JSON.stringify(data), time: timestamp, mine });
      if (sender && !mine) item.classList.add(`by-${look(sender)}`);
      if (mine) mark(item, 'sent');
      shown.set(id, item);
      hush(typing);
      if (!mine && sender) {
        unread.set(id, sender);
        if (node.contains(document.activeElement)) read();
      }
    },
    typing({ sender }) {
      say(typing, 'feedback.typing', { name: sender.name });
      clearTimeout(silence);
      silence = setTimeout(() => hush(typing), TYPING_EVERY_MS * 1.5);
    },
    read({ sender, data }) {
      if (same(sender, me)) for (const id of data.message_ids) unread.delete(id);
      else for (const id of data.message_ids) if (shown.has(id)) mark(shown.get(id), 'read');
    },
    new_feedback({ sender, data }) { list({ ...data, by: sender?.name }); },
    status_change({ data }) { list(data); },
    feedback_delete({ data }) {
      listed.get(data.feedback_id)?.remove();
      listed.delete(data.feedback_id);
      none();
    },
    error({ data }) { append(log, element('li', 'note bad', `${data.error} (${data.code})`)); },
    degraded() { note(log, 'notice.degraded', {}, true); },
    restored() { note(log, 'notice.restored'); },
  };

  function mark(item, key) {
    const sign = $('.mark', item);
    sign.textContent = key === 'read' ? '✓✓' : '✓';
    sign.title = t(`mark.${key}`);
  }

  // What lies open before a person is read.
  function read() {
    for (const other of PEOPLE) {
      const ids = [...unread].filter(([, sender]) => same(sender, other)).map(([id]) => id);
      if (ids.length && desk.isOpen && desk.send('read', { message_ids: ids }, other)) for (const id of ids) unread.delete(id);
    }
  }
  node.addEventListener('focusin', read);

  // Users see how their feedback stands; merchants and admins set it.
  function list({ feedback_id: id, title, status, by }) {
    if (!id) return;
    const item = element('li', '', element('span', 'title', title ?? id));
    if (by) item.append(element('span', 'by', by));
    if (me.type === 1) item.append(worded('span', `badge ${status}`, `feedback.status.${status}`));
    else {
      const label = element('label', '', worded('span', 'unseen', 'feedback.status'));
      const choice = element('select');
      for (const one of STATUSES) choice.append(say(new Option('', one, one === status, one === status), `feedback.status.${one}`));
      choice.addEventListener('change', () => desk.send('status_change', { feedback_id: id, title, by, status: choice.value }));
      label.append(choice);
      const remove = worded('button', 'quiet', 'feedback.delete');
      remove.type = 'button';
      remove.addEventListener('click', () => desk.send('feedback_delete', { feedback_id: id }));
      item.append(label, remove);
    }
    if (listed.has(id)) listed.get(id).replaceWith(item);
    else cases.append(item);
    listed.set(id, item);
    none();
  }

  function none() { $('.none', node).hidden = listed.size > 0; }

  file.addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    const data = { feedback_id: `f-${newId()}`, title: file.elements.title.value.trim(), status: 'open' };
    if (!data.title || !desk.send('new_feedback', data)) return;
    list(data);
    file.elements.title.value = '';
  });

  composer.addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    const content = composer.text.value.trim();
    if (content && desk.send('message', { content }, other())) composer.text.value = '';
    typedAt = 0;
  });

  composer.text.addEventListener('input', () => {
    if (!desk.isOpen || Date.now() - typedAt < TYPING_EVERY_MS) return;
    typedAt = Date.now();
    desk.send('typing', {}, other());
  });

  function other() { return PEOPLE.find(({ type }) => type === Number(composer.to.value)); }

  $('form.token', node).addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    start(submitted.target.token.value.trim());
  });

  $('#desks').append(node);
  start();
}

PEOPLE.forEach(panel);
