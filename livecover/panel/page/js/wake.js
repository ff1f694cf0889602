// While something plays the screen stays on, where the browser allows it.

/** Returns a function to call with whether something plays, as often as one likes. */
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
      lock?.addEventListener("release", () => (lock = null)); // as it is when the page is hidden
      setTimeout(() => (isAsked = false), 5000); // one that is refused is not asked for at once
    }
  };
}
