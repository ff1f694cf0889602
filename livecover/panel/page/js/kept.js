// Preferences of the page in this browser: theme, still picture, shortcuts.

/** Return the value of `name`, else `otherwise`. */
export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`livecover.${name}`)) ?? otherwise;
  } catch {
    return otherwise; // no storage, or a wrong value
  }
}

/** Store a value. */
export function keep(name, value) {
  try {
    localStorage.setItem(`livecover.${name}`, JSON.stringify(value));
  } catch {
    // without storage nothing is remembered
  }
}
