// A box that can scroll sideways must be reachable by keyboard, one that cannot is no stop. Pages are complete without this.
(function () {
  "use strict";
  const BOXES = ".math-scroll, .pst-scrollable-table-container, .cell_output .text_html, div.highlight pre, .cell_output pre";
  function mark() {
    document.querySelectorAll(BOXES).forEach(function (box) {
      if (box.scrollWidth > box.clientWidth) {
        box.setAttribute("tabindex", "0");
        if (!box.hasAttribute("role") && box.tagName !== "PRE") {
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", "Table, scrolls sideways");
        }
      } else {
        box.removeAttribute("tabindex");
      }
    });
  }
  let waiting = 0;
  function soon() { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(mark); }
  addEventListener("load", soon);
  addEventListener("resize", soon);
  document.addEventListener("toggle", soon, true);
  document.addEventListener("click", function () { setTimeout(soon, 300); });
  if (document.fonts) {
    document.fonts.ready.then(soon);
    document.fonts.addEventListener("loadingdone", soon);
  }
  if (window.ResizeObserver) {
    const watch = new ResizeObserver(soon);
    addEventListener("DOMContentLoaded", function () {
      document.querySelectorAll(".math-scroll .katex, .bd-article table, .bd-article pre").forEach(function (inner) { watch.observe(inner); });
    });
  }
})();
