// The WebSocket: connects, and reconnects. Handles frames and the clock, not the messages' contents.

import { ServerClock, pageNow } from "./clock.js";

export const BACK_OFF = [0.25, 0.5, 1, 2, 4]; // seconds before each try to connect again
const REFUSED = 1008; // the server's code for one that says too much
const QUICK_PINGS = 8; // at the start, close together
const QUICK = 0.15;
const SLOW = 2;
const SILENCE = 6; // seconds without a word after which the connection counts as lost

/** The connection to the server. `onMessage(message)`, `onOpen()`, `onLoss(seconds until the next try)`. */
export class Connection {
  #socket = null;
  #tries = 0;
  #retry = 0;
  #pings = new Map(); // id: when it was sent
  #nPings = 0;
  #pingTimer = 0;
  #heard = 0; // when the server spoke last

  constructor(url, { onMessage, onOpen, onLoss }) {
    this.url = url;
    this.clock = new ServerClock();
    this.on = { onMessage, onOpen, onLoss };
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    addEventListener("pagehide", () => this.#socket?.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect; try again if that fails or the connection ends. */
  open() {
    clearTimeout(this.#retry);
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = () => {
      this.clock.reset();
      this.#pings.clear();
      this.#nPings = 0;
      this.#heard = pageNow();
      this.#ping();
      this.on.onOpen();
    };
    socket.onmessage = ({ data }) => {
      this.#heard = pageNow();
      this.#tries = 0;
      for (const message of JSON.parse(data)) {
        if (message.type === "pong") this.#pong(message);
        else this.on.onMessage(message);
      }
    };
    socket.onclose = ({ code }) => this.#lose(socket, code);
  }

  /** Send a message; return false without a connection. */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #lose(socket, code) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#pingTimer);
    const wait = code === REFUSED ? BACK_OFF.at(-1) : BACK_OFF[Math.min(this.#tries, BACK_OFF.length - 1)];
    this.#tries += 1;
    this.#retry = setTimeout(() => this.open(), wait * 1000);
    this.on.onLoss(wait);
  }

  #hurry() {
    if (this.#socket && this.#socket.readyState >= WebSocket.CLOSING) this.open();
  }

  #ping() {
    if (pageNow() - this.#heard > SILENCE) {
      const socket = this.#socket;
      socket.close(); // its close may take long where the network is gone: do not wait for it
      this.#lose(socket, 0);
      this.#socket = null;
      return;
    }
    this.#nPings += 1;
    this.#pings.set(this.#nPings, pageNow());
    this.send({ type: "ping", id: this.#nPings });
    const wait = this.#nPings < QUICK_PINGS ? QUICK : SLOW;
    this.#pingTimer = setTimeout(() => this.#ping(), wait * 1000);
  }

  #pong({ id, now }) {
    const sent = this.#pings.get(id);
    if (sent === undefined) return;
    this.#pings.delete(id);
    this.clock.add(sent, pageNow(), now);
  }
}
