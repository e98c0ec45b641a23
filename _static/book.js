// A box that can scroll sideways must be reachable by keyboard, one that cannot is no stop. Pages are complete without this.
(function () {
  "use strict";
  if (!window.ResizeObserver) return;
  const BOXES = ".math-scroll, .pst-scrollable-table-container, .cell_output .text_html, div.highlight pre, .cell_output pre";
  // A box, or what is in it, has another size: it was laid out for the first time, unfolded, a font came, the window changed.
  const watch = new ResizeObserver(function (entries) {
    const boxes = new Set(entries.map(function (entry) { return entry.target.closest(BOXES); }));
    const wide = [...boxes].map(function (box) { return [box, box.scrollWidth > box.clientWidth]; });
    wide.forEach(function ([box, scrolls]) {
      if (scrolls === box.hasAttribute("tabindex")) return;
      if (!scrolls) return box.removeAttribute("tabindex");
      box.setAttribute("tabindex", "0");
      if (!box.hasAttribute("role") && box.tagName !== "PRE") {
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Table, scrolls sideways");
      }
    });
  });
  document.querySelectorAll(BOXES).forEach(function (box) {
    watch.observe(box);
    [...box.children].filter(function (part) { return part.matches("table, .katex-display, .line"); }).forEach(function (part) { watch.observe(part); });
  });
})();
