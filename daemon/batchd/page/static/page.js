// The page works without this. With it, what is shown follows what happens: the view's own HTML is fetched again.
"use strict";
(() => {
  const base = document.documentElement.dataset.base;
  const live = document.querySelector("main[data-live]");
  let busy = false, again = false, polling = 0;

  const inUse = () => {
    const at = document.activeElement;
    return at && at.closest("main") && at.matches("input:not([type=submit]), select, textarea") || document.hidden;
  };

  async function renew() {
    if (inUse()) { again = true; return; }
    if (busy) { again = true; return; }
    busy = true; again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname !== location.pathname) { location.assign(answer.url); return; }
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of ["main", ".notes", ".pulse"]) swap(part, next);
      document.title = next.title;
    } catch { /* the next change tries again */ } finally {
      busy = false;
      setTimeout(() => { if (again) renew(); }, 1000);
    }
  }

  function swap(part, next) {
    const old = document.querySelector(part), now = next.querySelector(part);
    if (!old || !now || old.innerHTML === now.innerHTML) return;
    const focus = document.activeElement && document.activeElement.id;
    const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
    old.replaceChildren(...now.childNodes);
    for (const id of open) { const kept = document.getElementById(id); if (kept) kept.open = true; }
    if (focus) { const kept = document.getElementById(focus); if (kept) kept.focus({ preventScroll: true }); }
  }

  function poll() { polling = polling || setInterval(renew, 10000); }

  function listen() {
    const source = new EventSource(`${base}/events`);
    source.addEventListener("changed", renew);
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) poll(); });
    addEventListener("pagehide", () => source.close());
  }

  if (live) {
    listen();
    document.addEventListener("visibilitychange", () => { if (!document.hidden && again) renew(); });
  }

  // A file can be dropped anywhere on the form.
  const drop = document.querySelector("form[data-drop]");
  if (drop) {
    const input = drop.querySelector("input[type=file]");
    const stop = (event) => { event.preventDefault(); drop.classList.toggle("over", event.type === "dragover"); };
    for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, stop);
    drop.addEventListener("drop", (event) => {
      if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; input.focus(); }
    });
    drop.addEventListener("submit", () => drop.classList.add("sending"));
  }
})();
