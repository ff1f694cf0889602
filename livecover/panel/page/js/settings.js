// The settings: the server's values, and the user's changes that it does not have yet.

const EVERY = 40; // milliseconds between two messages: a drag says its latest place, not all
const MINE = 500; // milliseconds for which what a hand has set wins over what the server still says

/** Settings by "section.key"; `send(values)` sends changes to the server. */
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

  /** Call `react(value)` now, if the value is known, and whenever it changes. */
  watch(key, react) {
    if (!this.#watchers.has(key)) this.#watchers.set(key, []);
    this.#watchers.get(key).push(react);
    if (this.#shown.has(key)) react(this.#shown.get(key));
  }

  /** Change settings, here at once and on the server shortly after. */
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

  /** Send pending changes now. */
  flush() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#flush();
  }

  /** Send pending changes now; the server's next values win. */
  settle() {
    this.flush();
    this.#mine.clear();
  }

  /** Set {section: {key: value}} from the server. */
  receive(sections) {
    for (const [section, keys] of Object.entries(sections)) {
      for (const [key, value] of Object.entries(keys)) this.#server.set(`${section}.${key}`, value);
    }
    this.#settle();
  }

  /** The server refused a change: show its values. */
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
