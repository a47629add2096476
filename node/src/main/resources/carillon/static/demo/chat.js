// A chat room in Vue: each seat is a component that gets everything from the composable useWebSocket(token).
import { createApp, h, nextTick, onMounted, onUnmounted, ref, shallowRef, useTemplateRef, watch } from 'vue';
import { useWebSocket } from '../client/vue.js';
import { t } from './demo.js';

const SEATS = [{ user: 'ada', name: 'Ada', look: 'first' }, { user: 'ben', name: 'Ben', look: 'second' }];
const FRAMES = 100;

const language = ref(0);
document.addEventListener('language', () => { language.value += 1; });
/** A text; what shows it is drawn anew when the language changes. */
const text = (key, values) => (language.value, t(key, values));

// The server keeps what was said as HTML; here it is shown as text again, never as markup.
const SIGNS = { amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#39': "'", apos: "'" };
const plain = (html) => String(html).replace(/&(amp|lt|gt|quot|#34|#39|apos);/g, (_, sign) => SIGNS[sign]);

function userOf(token) {
  try {
    return String(JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).sub);
  } catch {
    return null;
  }
}

const Command = {
  props: ['line'],
  setup({ line }) {
    const copied = ref(false);
    const copy = async () => {
      await navigator.clipboard?.writeText(line);
      copied.value = true;
    };
    return () => h('div', { class: 'command' }, [
      h('code', line),
      h('button', { type: 'button', onClick: copy }, text(copied.value ? 'copied' : 'copy')),
    ]);
  },
};

const Room = {
  props: ['token'],
  emits: ['leave', 'refused'],
  setup(props, { emit }) {
    const { connect, sendMessage, messages, onlineCount, isConnected, isReconnecting, error, chat } = useWebSocket(props.token);
    const me = userOf(props.token);
    const draft = ref('');
    const problem = ref('');
    const people = shallowRef([]);
    const frames = ref([]);
    const log = useTemplateRef('log');
    let here = true;
    onUnmounted(() => { here = false; });

    chat.on('$frame', (frame, sent) => {
      frames.value.push({ frame: frame.replace(/"token":"[^"]*"/, '"token":"…"'), sent });
      frames.value.splice(0, frames.value.length - FRAMES);
    });
    chat.on('$stop', () => emit('refused'));
    onMounted(async () => {
      // A browser does not tell a refused handshake from a server that is away; a plain call does.
      try {
        people.value = (await chat.onlineUsers()).users;
      } catch ({ status }) {
        if (status === 401) return emit('refused');
      }
      if (here) connect().catch(() => {});
    });
    watch([onlineCount, isConnected], async () => {
      if (isConnected.value) people.value = (await chat.onlineUsers().catch(() => null))?.users ?? people.value;
    });
    watch(() => messages.value.length, async () => {
      await nextTick();
      log.value.scrollTop = log.value.scrollHeight;
    });
    watch(error, (what) => { problem.value = what?.message ?? what?.reason ?? ''; });

    async function send(event) {
      event.preventDefault();
      const content = draft.value.trim();
      if (!content) return;
      draft.value = '';
      problem.value = '';
      try {
        await sendMessage(content);
      } catch (failure) {
        problem.value = failure.message;
      }
    }

    const state = () => (isConnected.value ? ['on', 'state.open'] : isReconnecting.value ? ['wait', 'state.waiting'] : ['wait', 'state.connecting']);
    const message = ({ id, user_id: user, username, content, created_at: time }) => h('li', { key: id, class: ['message', { mine: user === me }] }, [
      h('div', { class: 'head' }, [
        h('span', { class: 'from' }, plain(username)),
        h('span', new Date(time).toLocaleTimeString()),
        h('span', { class: 'mark' }, `#${id}`),
      ]),
      h('div', { class: 'body' }, plain(content)),
    ]);

    return () => [
      h('div', { class: 'part' }, [
        h('div', { class: 'fields' }, [
          h('p', { class: 'state', 'data-state': state()[0], role: 'status' }, text(state()[1])),
          h('strong', { class: 'online' }, text('chat.online', { count: onlineCount.value })),
          h('button', { type: 'button', class: 'quiet small', onClick: () => emit('leave') }, text('chat.leave')),
        ]),
        h('ul', { class: 'chips', 'aria-label': text('chat.people') }, people.value.map(({ id, name }) => h('li', { key: id }, [plain(name), ' ']))),
      ]),
      h('ol', { ref: 'log', class: 'log', role: 'log', 'aria-live': 'polite', tabindex: 0, 'aria-label': text('messages') },
        messages.value.length ? messages.value.map(message) : h('li', { class: 'empty' }, text('chat.empty'))),
      problem.value && h('p', { class: 'typing', role: 'alert' }, problem.value),
      h('form', { class: 'composer', onSubmit: send }, [
        h('label', { class: 'grow' }, [
          h('span', { class: 'unseen' }, text('message')),
          h('input', { name: 'text', autocomplete: 'off', maxlength: 1000, placeholder: text('message'), value: draft.value, onInput: (event) => { draft.value = event.target.value; } }),
        ]),
        h('button', { class: 'primary', disabled: !isConnected.value && !isReconnecting.value }, text('send')),
      ]),
      h('details', { class: 'frames' }, [
        h('summary', text('frames')),
        h('ol', { tabindex: 0, 'aria-label': text('frames') }, frames.value.map(({ frame, sent }) => h('li', { class: { out: sent } }, frame))),
      ]),
    ];
  },
};

const Seat = {
  props: ['seat'],
  setup({ seat }) {
    const token = ref('');
    const draft = ref('');
    const refused = ref(false);

    function enter(event) {
      event.preventDefault();
      refused.value = false;
      token.value = draft.value.trim();
    }
    function leave() {
      token.value = draft.value = '';
    }

    return () => h('section', { class: ['panel', seat.look], id: `seat-${seat.user}`, 'aria-label': text('chat.seat', { name: seat.name }) }, [
      h('div', { class: 'bar' }, [h('h2', seat.name)]),
      token.value
        ? h(Room, {
          token: token.value,
          onLeave: leave,
          onRefused() {
            refused.value = true;
            leave();
          },
        })
        : h('form', { class: 'entry', onSubmit: enter }, [
          h('p', text('chat.token', { name: seat.name })),
          h(Command, { line: `scripts/token --user ${seat.user} --claim name=${seat.name}` }),
          h('label', [
            text('token'),
            h('input', { name: 'token', type: 'password', autocomplete: 'off', spellcheck: false, value: draft.value, onInput: (event) => { draft.value = event.target.value; } }),
          ]),
          h('button', { class: 'primary', disabled: !draft.value.trim() }, text('chat.enter')),
          refused.value && h('p', { class: 'note bad', role: 'alert' }, text('token.refused')),
          h('p', { class: 'hint' }, text('token.kept')),
        ]),
    ]);
  },
};

createApp({ render: () => SEATS.map((seat) => h(Seat, { key: seat.user, seat })) }).mount('#room');
