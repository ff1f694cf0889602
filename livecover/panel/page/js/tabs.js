// Tabs: groups of controls, one of which is shown.

import { keep, recall } from "./kept.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

/** Show the view of a tab; `onShow(name)` is told. */
export function bindTabs(onShow) {
  const show = (tab) => {
    for (const other of tabs) {
      const isShown = other === tab;
      other.setAttribute("aria-selected", String(isShown));
      other.tabIndex = isShown ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !isShown;
    }
    const name = tab.id.replace("tab-", "");
    keep("tab", name);
    onShow(name);
  };
  tabs.forEach((tab, k) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!by) return;
      const next = tabs[(k + by + tabs.length) % tabs.length];
      next.focus();
      show(next);
    });
  });
  show(document.getElementById(`tab-${recall("tab", "play")}`) ?? tabs[0]);
}
