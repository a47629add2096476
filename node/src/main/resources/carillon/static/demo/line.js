// Line desks: a dashboard with live charts, and a simulated Windows client that reports what its accounts do.
import { Connection, newId } from '../client/carillon.js';
import { bars, span, steps } from './chart.js';
import { $, append, command, element, follow, note, say, t, worded } from './demo.js';

const MINUTES = 60;  // shown at most
const HEARTBEAT_MS = 20_000;
const STREAM_MS = 900;
const DUPLICATES = 0.2;  // of what the stream sends
const TICK_MS = 5000;

/** A line dialect over the connection of the client library: each frame is `{type, data}`. */
class Line extends Connection {
  constructor(options) {
    super({ heartbeat: HEARTBEAT_MS, ...options });
  }

  // A Windows client has to send something by itself; the library asks only a quiet link.
  opened() {
    super.opened();
    this.#beat();
  }

  #beat() {
    this.later('beat', HEARTBEAT_MS, () => {
      this.ping();
      this.#beat();
    });
  }

  closed() { this.never('beat'); }

  ping() { this.transmit({ type: 'heartbeat', activation_code: this.options.code, timestamp: Date.now() }); }

  send(type, data) {
    // The id makes it count once, should it be sent again.
    return this.transmit({ type, activation_code: this.options.code, id: newId(), data });
  }

  received(text) {
    this.emit('$frame', text, false);
    const frame = JSON.parse(text);
    if (frame.type === 'drain') this.movesWithin(frame.data?.reconnect_within_ms ?? 0);
    this.emit(frame.type, frame.data ?? {}, frame);
  }
}

// --- the dashboard ---

const board = {
  node: $('#dashboard'),
  client: null,
  perMinute: new Map(),  // minute since the epoch -> {fresh, again}
  online: [],            // {time, value}, oldest first
  since: Date.now(),
  last: null,            // numbers of the group
  accounts: new Map(),   // line id -> {name, status, numbers}
};

function watch(token) {
  board.client?.disconnect();
  const client = new Line({ url: '/ws/dashboard', token });
  board.client = client;
  follow(client, board.node, () => refused('#watch'));
  client.on('$state', (state) => {
    if (state === 'open') enter('#watch', '#board');
  });
  client.on('connected', ({ group_id: group }) => say($('#group'), 'line.group', { group }));
  client.on('group_stats_update', numbers);
  client.on('account_stats_update', ({ line_id: id, ...counts }) => account(id, counts));
  client.on('account_status_change', ({ line_account_id: id, online_status: status }) => account(id, { status }));
  client.on('incoming', ({ line_account_id: id, incoming_line_id: from, display_name: name, duplicate }) => {
    account(id, {});
    entry(worded('span', '', 'line.feed.incoming', { who: name ?? from, account: id }), duplicate && worded('span', 'badge twice', 'line.again.one'));
  });
  client.on('customer_sync', ({ customer_id: id }) => entry(worded('span', '', 'line.feed.customer', { id })));
  client.on('follow_up_sync', ({ customer_id: id, content }) => entry(worded('span', '', 'line.feed.follow', { id, content })));
  client.on('degraded', () => note($('#feed'), 'notice.degraded', {}, true));
  client.on('restored', () => note($('#feed'), 'notice.restored'));
  client.connect();
  draw();
}

function enter(form, content) {
  $(form).hidden = true;
  $(content).hidden = false;
  draw();
}

function refused(form) {
  $(form).hidden = false;
  $('.note', $(form)).hidden = false;
}

function entry(...parts) {
  const time = element('span', 'time', new Date().toLocaleTimeString(), ' ');
  append($('#feed'), element('li', '', time, ...parts.filter(Boolean).flatMap((part) => [part, ' '])));
}

// The bars are what the totals grew by: right also after an outage, and when updates were merged.
function numbers(now) {
  const { last } = board;
  if (last) {
    const minute = Math.floor(Date.now() / 60_000);
    const bar = board.perMinute.get(minute) ?? { fresh: 0, again: 0 };
    const again = Math.max(0, now.duplicate_incoming - last.duplicate_incoming);
    bar.again += again;
    bar.fresh += Math.max(0, now.total_incoming - last.total_incoming - again);
    board.perMinute.set(minute, bar);
    board.perMinute.delete(minute - MINUTES);
  }
  board.last = now;
  if (board.online.at(-1)?.value !== now.online_accounts) board.online.push({ time: Date.now(), value: now.online_accounts });
  $('#online-accounts').textContent = now.online_accounts;
  $('#today-incoming').textContent = now.today_incoming;
  $('#today-duplicate').textContent = now.today_duplicate;
  $('#total-incoming').textContent = now.total_incoming;
  say($('#total-accounts'), 'line.of', { total: now.total_accounts });
  say($('#duplicate-incoming'), 'line.total.again', { number: now.duplicate_incoming });
  draw();
}

function draw() {
  if ($('#board').hidden) return;
  const now = Date.now();
  const minute = Math.floor(now / 60_000);
  const shown = span(board.since, now, 12, MINUTES);
  const values = Array.from({ length: shown }, (_, i) => board.perMinute.get(minute - shown + 1 + i) ?? { fresh: 0, again: 0 });
  bars($('#incoming-chart'), values, now);
  const { fresh, again } = values.at(-1);
  $('#incoming-chart').setAttribute('aria-label', t('line.chart.incoming.now', { fresh, again }));
  while (board.online.length > 1 && board.online[1].time < now - MINUTES * 60_000) board.online.shift();
  steps($('#online-chart'), board.online, span(board.since, now, 3, MINUTES), now);
  $('#online-chart').setAttribute('aria-label', t('line.chart.online.now', { online: board.last?.online_accounts ?? 0 }));
}

function account(id, change) {
  const known = board.accounts.get(id) ?? {};
  const now = { ...known, ...change };
  board.accounts.set(id, now);
  const cell = (value) => element('td', 'number', String(value ?? '–'));
  const row = element('tr', '', element('td', '', id),
    element('td', '', now.status ? worded('span', `badge ${now.status}`, `line.status.${now.status === 'online' ? 'online' : 'offline'}`) : '–'),
    cell(now.today_incoming), cell(now.duplicate_incoming), cell(now.total_incoming));
  row.dataset.account = id;
  const old = [...$('#rows').children].find((one) => one.dataset.account === id);
  if (old) old.replaceWith(row);
  else $('#rows').insertBefore(row, [...$('#rows').children].find((one) => one.dataset.account > id) ?? null);
}

$('#watch').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const token = submitted.target.token.value.trim();
  if (token) watch(token);
});
setInterval(draw, TICK_MS);
new ResizeObserver(draw).observe($('#incoming-chart'));
document.addEventListener('language', draw);

// --- the Windows client ---

const desk = {
  node: $('#windows'),
  client: null,
  accounts: ['a1', 'a2', 'a3'].map((id, i) => ({ line_id: id, display_name: `Desk ${i + 1}`, online_status: 'online' })),
  came: [],  // ids of those who came, for duplicates
  stream: 0,
};

function activate(code) {
  desk.client?.disconnect();
  const client = new Line({ url: '/ws/windows', query: { activation_code: code }, code });
  desk.client = client;
  follow(client, desk.node, () => {
    refused('#activate');
    $('#codes').open = true;
  });
  client.on('auth_success', ({ activation_code: own, message }) => {
    enter('#activate', '#client');
    $('#codes').hidden = true;
    $('#code-shown').textContent = own;
    answer(message);
    client.send('sync_line_accounts', desk.accounts);
  });
  client.on('sync_result', ({ created_count: created, updated_count: updated }) => {
    said('line.answer.sync', { created, updated });
    // A sync changes numbers; what each account does is told to dashboards by its own message.
    for (const one of desk.accounts) changed(one);
  });
  client.on('incoming_received', ({ incoming_line_id: id, duplicate }) => said(duplicate ? 'line.answer.again' : 'line.answer.incoming', { id }));
  client.on('customer_sync_received', ({ customer_id: id, customer_db_id: number }) => said('line.answer.customer', { id, number }));
  client.on('follow_up_sync_received', ({ customer_id: id, follow_up_id: number }) => said('line.answer.follow', { id, number }));
  client.on('account_status_updated', ({ line_account_id: id, online_status: status }) => said(`line.answer.${status}`, { id }));
  client.on('error', (data, { error }) => answer(error, 'note bad'));
  client.connect();
}

function answer(text, className = '') { append($('#answers'), element('li', className, text)); }
function said(key, values) { append($('#answers'), worded('li', '', key, values)); }

function changed({ line_id: id, online_status: status }) {
  desk.client.send('account_status_change', { line_account_id: id, online_status: status });
}

function showAccounts() {
  $('#accounts').replaceChildren(...desk.accounts.map((one) => {
    const online = one.online_status === 'online';
    const button = worded('button', 'small', online ? 'line.go.offline' : 'line.go.online');
    button.type = 'button';
    button.addEventListener('click', () => {
      one.online_status = online ? 'offline' : 'online';
      changed(one);
      showAccounts();
      $('#accounts').children[desk.accounts.indexOf(one)].querySelector('button').focus();
    });
    return element('li', '', element('span', 'title', `${one.display_name} (${one.line_id})`),
      worded('span', `badge ${one.online_status}`, `line.status.${one.online_status}`), button);
  }));
}

function come(account, id = `x${newId().slice(0, 6)}`) {
  if (!desk.client?.send('incoming', { line_account_id: account, incoming_line_id: id, display_name: `Guest ${id}` })) return;
  desk.came.push(id);
  if (desk.came.length > 100) desk.came.shift();
}

const any = (list) => list[Math.floor(Math.random() * list.length)];
const chosen = () => $('#come').account.value;
const customer = () => `c-${desk.came.at(-1) ?? 'x1'}`;

function flow(on) {
  clearInterval(desk.stream);
  desk.stream = on ? setInterval(() => {
    const twice = desk.came.length && Math.random() < DUPLICATES;
    come(any(desk.accounts).line_id, twice ? any(desk.came) : undefined);
  }, STREAM_MS) : 0;
  $('#stream').setAttribute('aria-pressed', String(on));
  say($('#stream'), on ? 'line.stream.stop' : 'line.stream');
}

for (const { line_id: id, display_name: name } of desk.accounts) $('#come').account.append(new Option(`${name} (${id})`, id));
showAccounts();

$('#activate').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  activate(submitted.target.code.value.trim());
});
$('#come').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  come(chosen());
});
$('#again').addEventListener('click', () => come(chosen(), desk.came.at(-1)));
$('#sync').addEventListener('click', () => desk.client.send('sync_line_accounts', desk.accounts));
$('#stream').addEventListener('click', () => flow(!desk.stream));
$('#customer').addEventListener('click', () => desk.client.send('customer_sync', { customer_id: customer(), line_account_id: chosen() }));
$('#follow-up').addEventListener('click', () => desk.client.send('follow_up_sync', { customer_id: customer(), content: t('line.follow.content') }));
$('#cut').addEventListener('click', () => {
  // As when the program is ended: its accounts turn offline on the dashboards.
  const away = desk.client.state === 'closed';
  if (away) desk.client.connect();
  else {
    flow(false);
    desk.client.disconnect();
  }
  say($('#cut'), away ? 'line.cut' : 'line.back');
});

// --- activation codes ---

function curl() {
  const code = $('#activate').code.value.trim() || 'HG66OP88';
  command($('.curl'), `(. .carillon/env; printf 'X-API-Key: %s' "$CARILLON_API_KEY" | curl -X PUT -H @- -H 'Content-Type: application/json' -d '{"group_id":1}' "$CARILLON_URL/api/line/activation-codes/${code}")`);
}
$('#activate').code.addEventListener('input', curl);
curl();

$('#make').addEventListener('submit', async (submitted) => {
  submitted.preventDefault();
  const code = $('#activate').code.value.trim();
  const key = submitted.target.key.value.trim();
  if (!key || !code) return;
  const made = $('#made');
  try {
    const response = await fetch(`/api/line/activation-codes/${encodeURIComponent(code)}`, {
      method: 'PUT',
      headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
      body: JSON.stringify({ group_id: 1 }),
    });
    if (response.ok) say(made, 'line.code.made', { code });
    else say(made, 'problem', { status: response.status, error: (await response.json()).error ?? '' });
  } catch (error) {
    say(made, 'problem', { status: '', error: error.message });
  }
  // The key is for this one call.
  submitted.target.key.value = '';
});
