// Keeps the screen on while livecover plays, if the browser can.

/** Returns a function to call with whether livecover plays, as often as needed. */
export function keepAwake() {
  let lock = null;
  let isAsked = false;
  return async (isPlaying) => {
    if (!isPlaying) {
      lock?.release();
      lock = null;
    } else if (!lock && !isAsked && !document.hidden && navigator.wakeLock) {
      isAsked = true;
      lock = await navigator.wakeLock.request("screen").catch(() => null);
      lock?.addEventListener("release", () => (lock = null)); // for example when the page is hidden
      setTimeout(() => (isAsked = false), 5000); // after a refusal, wait before asking again
    }
  };
}
