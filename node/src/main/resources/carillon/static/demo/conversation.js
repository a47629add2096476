// A conversation: a visitor, who in the quick start needs no account, and an agent, who shows a token.
import { Conversation } from '../client/conversation.js';
import { $, append, bubble, command, element, follow, note, t } from './demo.js';

let id = '123';

function side(node, asAgent) {
  const log = $('.log', node);
  const composer = $('.composer', node);
  const entry = $('.entry', node);
  const empty = log.firstElementChild;
  let conversation = null;

  function start(token) {
    conversation?.disconnect();
    log.replaceChildren(empty);
    conversation = new Conversation({ conversationId: id, token });
    follow(conversation, node, () => {
      if (asAgent) note(log, 'token.refused', {}, true);
      else entry.open = true;
    });
    if (asAgent) conversation.on('$state', (state) => { entry.hidden = state !== 'closed'; });
    conversation.on('message', show);
    conversation.on('$gap', () => note(log, 'notice.gap', {}, true));
    conversation.on('degraded', () => note(log, 'notice.degraded', {}, true));
    conversation.on('restored', () => note(log, 'notice.restored'));
    conversation.connect();
  }

  function show({ id: number, content, sender_is_agent: byAgent, created_at: time }) {
    const mine = byAgent === asAgent;
    const item = bubble(log, { from: t(byAgent ? 'conversation.agent' : 'conversation.visitor'), content, time, mine });
    $('.from', item).dataset.text = byAgent ? 'conversation.agent' : 'conversation.visitor';
    $('.mark', item).textContent = `#${number}`;
    item.classList.add(byAgent ? 'by-second' : 'by-first');
  }

  composer.addEventListener('submit', async (submitted) => {
    submitted.preventDefault();
    const content = composer.text.value.trim();
    if (!content || !conversation) return;
    composer.text.value = '';
    // Kept by the library until the server has it, over a lost connection too; it is shown when it comes back with its number.
    const waiting = append(log, element('li', 'note', `… ${content}`));
    try {
      await conversation.send(content, { asAgent });
      waiting.remove();
    } catch (error) {
      waiting.classList.add('bad');
      waiting.textContent = `${content}: ${error.message}`;
    }
  });

  $('form.token', node).addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    const token = submitted.target.token.value.trim();
    if (!token) return;
    if (asAgent) for (const part of [log, composer]) part.hidden = false;
    start(token);
  });

  return {
    start,
    move() {
      if (conversation) start(conversation.options.token);
    },
  };
}

const visitor = side($('#visitor'), false);
const agent = side($('#agent'), true);

function how() {
  command($('#visitor .how'), `scripts/token --user visitor-1 --claim conversation_id=${id}`);
}

$('#open').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  id = submitted.target.elements.id.value;
  how();
  visitor.move();
  agent.move();
});

how();
visitor.start();
