/** Keep the spoken row in view, until the user scrolls. */

const SCROLL_KEYS = new Set(["PageUp", "PageDown"]);

export function scrollToRow(row, block = "center") {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  row.item.scrollIntoView({ block, behavior: isCalm ? "instant" : "smooth" });
}

/** Height of what stays at the upper edge of the window: the player, or its buttons on a narrow screen. */
export function coveredHeight() {
  const bar = document.querySelector(".player-bar");
  const sticky = bar && getComputedStyle(bar).display === "contents" ? bar.querySelector(".controls") : bar;
  return sticky?.offsetHeight ?? 0;
}

/** Whether the row lies between the player and the lower edge of the window. */
export function isInView(row) {
  const box = row.item.getBoundingClientRect();
  return box.top >= coveredHeight() && box.bottom <= innerHeight;
}

/** Call `stop` when the user scrolls by wheel, finger, bar or key. Returns what removes the listeners. */
export function onUserScroll(stop) {
  const byKey = (event) => SCROLL_KEYS.has(event.key) && stop();
  const page = document.documentElement;
  const byBar = (event) => event.target === page && event.clientX >= page.clientWidth && stop();
  const options = { passive: true };
  addEventListener("wheel", stop, options);
  addEventListener("touchmove", stop, options);
  addEventListener("keydown", byKey);
  addEventListener("pointerdown", byBar);
  return () => {
    removeEventListener("wheel", stop, options);
    removeEventListener("touchmove", stop, options);
    removeEventListener("keydown", byKey);
    removeEventListener("pointerdown", byBar);
  };
}
