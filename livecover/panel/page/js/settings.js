// The settings as the server has them, and as a hand that moves a control already wants them.

const EVERY = 40; // milliseconds between two messages: a drag says its latest place, not all
const MINE = 500; // milliseconds for which what a hand has set wins over what the server still says

/** Settings by "section.key"; `send(values)` says to the server what changed. */
export class Settings {
  #server = new Map();
  #shown = new Map();
  #mine = new Map(); // key: until when what is shown is this page's own
  #watchers = new Map();
  #unsent = {};
  #timer = 0;
  #last = 0;

  constructor(send) {
    this.send = send;
  }

  get(key) {
    return this.#shown.get(key);
  }

  /** Call `react(value)` now, where it is known, and whenever the key's value changes. */
  watch(key, react) {
    if (!this.#watchers.has(key)) this.#watchers.set(key, []);
    this.#watchers.get(key).push(react);
    if (this.#shown.has(key)) react(this.#shown.get(key));
  }

  /** Change settings, here at once and on the server soon. */
  change(values) {
    for (const [key, value] of Object.entries(values)) {
      this.#mine.set(key, performance.now() + MINE);
      this.#show(key, value);
      this.#unsent[key] = value;
    }
    if (!this.#timer) this.#timer = setTimeout(() => this.#flush(), this.#last + EVERY - performance.now());
    this.onChange?.(Object.keys(values));
  }

  #flush() {
    this.#timer = 0;
    this.#last = performance.now();
    const values = this.#unsent;
    this.#unsent = {};
    if (this.send(values)) setTimeout(() => this.#settle(), MINE + 20);
    else this.refuse();
  }

  /** Say now what is unsaid, and let what the server says next win. */
  settle() {
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#flush();
    }
    this.#mine.clear();
  }

  /** Take {section: {key: value}} from the server. */
  receive(sections) {
    for (const [section, keys] of Object.entries(sections)) {
      for (const [key, value] of Object.entries(keys)) this.#server.set(`${section}.${key}`, value);
    }
    this.#settle();
  }

  /** The server did not take what was asked: show what it has. */
  refuse() {
    this.#mine.clear();
    this.#settle();
  }

  #settle() {
    const now = performance.now();
    for (const [key, value] of this.#server) {
      if (now < (this.#mine.get(key) ?? 0)) continue;
      this.#mine.delete(key);
      this.#show(key, value);
    }
  }

  #show(key, value) {
    const before = this.#shown.get(key);
    if (before === value || JSON.stringify(before) === JSON.stringify(value)) return;
    this.#shown.set(key, value);
    for (const react of this.#watchers.get(key) ?? []) react(value);
  }
}
