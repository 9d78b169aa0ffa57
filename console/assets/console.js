// Comfort only: every page works without this file.
"use strict";

(() => {
  const copyLabel = new WeakMap();

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const text = source.textContent;
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      // No permission, or plain http: fall back to selecting.
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      done = document.execCommand("copy");
    }
    if (!copyLabel.has(button)) copyLabel.set(button, button.textContent);
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = copyLabel.get(button); }, 2000);
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", () => copy(button));
  }

  // Filters apply as soon as one is chosen.
  for (const form of document.querySelectorAll("form[data-autosubmit]")) {
    form.addEventListener("change", (event) => {
      if (event.target instanceof HTMLSelectElement) form.requestSubmit();
    });
  }

  // One box ticks all of a page.
  for (const all of document.querySelectorAll("input[data-all]")) {
    const boxes = [...document.querySelectorAll(`input[type=checkbox][form="${all.dataset.all}"]`)];
    if (!boxes.length) continue;
    const show = () => {
      const ticked = boxes.filter((box) => box.checked).length;
      all.checked = ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    };
    for (const hidden of all.parentElement.querySelectorAll("[hidden]")) hidden.hidden = false;
    all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; });
    for (const box of boxes) box.addEventListener("change", show);
    show();
  }

  // A form goes out once, however often its button is pressed.
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // A bar's numbers beside the pointer.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  for (const bar of document.querySelectorAll("[data-tip]")) {
    bar.querySelector("title")?.remove();
    bar.addEventListener("pointermove", (event) => {
      tip.textContent = bar.dataset.tip;
      tip.hidden = false;
      const left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8);
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${event.clientY - tip.offsetHeight - 12}px`;
    });
    bar.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  // After a refused form, start at what is wrong.
  document.querySelector("main [role=alert] a[href^='#'], main [aria-invalid=true]")?.focus();
})();
