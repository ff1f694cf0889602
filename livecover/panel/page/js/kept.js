// What this browser remembers of the page itself: theme, still picture, single keys.

/** Return what was kept under `name`, else `otherwise`. */
export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`livecover.${name}`)) ?? otherwise;
  } catch {
    return otherwise; // storage is closed or holds something else
  }
}

/** Keep a value. */
export function keep(name, value) {
  try {
    localStorage.setItem(`livecover.${name}`, JSON.stringify(value));
  } catch {
    // a browser without storage forgets, and all else works
  }
}
