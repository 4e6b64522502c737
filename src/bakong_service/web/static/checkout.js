// Keeps the payer's page up to date. The server writes every word: when its mark changes, the page is fetched anew.
(() => {
  "use strict";
  const POLL_MS = 5000, AWAY_MS = 5000, SHOWN_MS = 1500, FAILED_MS = 30000;
  const byId = (id) => document.getElementById(id);
  const view = () => byId("view");
  const here = view().dataset.here;
  let source = null, poll = 0, tick = 0, hiddenAt = 0, refreshing = null, again = false;

  // Fetch the page, and put its contents in place of the present ones. Calls that come meanwhile lead to one more fetch.
  function refresh() {
    if (refreshing) { again = true; return refreshing; }
    refreshing = load().catch(() => {}).finally(() => {
      refreshing = null;
      if (again) { again = false; refresh(); }
    });
    return refreshing;
  }

  async function load() {
    const answer = await fetch(here + location.search, { cache: "no-store", credentials: "omit" });
    if (answer.status >= 500 || answer.status === 429) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("view");
    if (!next) { location.reload(); return; }
    if (next.dataset.mark === view().dataset.mark && next.dataset.state === view().dataset.state) return;
    const focused = document.activeElement && view().contains(document.activeElement) ? document.activeElement.id : null;
    view().replaceWith(next);
    document.title = page.title;
    byId("announce").textContent = byId("title").textContent + " " + view().querySelector(".dont").textContent;
    if (focused !== null) (byId(focused) || byId("title")).focus({ preventScroll: true });
    start();
  }

  // Show the time that is left, by the server's clock.
  function count() {
    clearInterval(tick);
    const left = byId("left"), { ends, now } = view().dataset;
    if (!left || !ends) return;
    const began = performance.now(), label = left.parentElement.querySelector("[data-counting]");
    const step = () => {
      const seconds = Math.max(0, Math.ceil((ends - now - (performance.now() - began)) / 1000));
      left.textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
      if (seconds === 0) { clearInterval(tick); setTimeout(refresh, 1000); }
    };
    label.textContent = label.dataset.counting;
    step();
    tick = setInterval(step, 1000);
  }

  function stop() {
    clearInterval(poll);
    poll = 0;
    if (source) source.close();
    source = null;
  }

  // Follow the server's marks: by a stream, and where there is none, by asking now and then.
  function follow() {
    stop();
    if (view().dataset.final === "yes") return;
    if (!window.EventSource) { ask(); return; }
    source = new EventSource(here + "/events");
    source.addEventListener("mark", (event) => { if (event.data !== view().dataset.mark) refresh(); });
    source.addEventListener("end", () => { stop(); refresh(); });
    source.addEventListener("error", () => { if (source && source.readyState === EventSource.CLOSED) { stop(); ask(); } });
  }

  function ask() {
    poll = setInterval(async () => {
      try {
        const answer = await fetch(here + "/status", { cache: "no-store", credentials: "omit" });
        if (answer.ok && (await answer.text()) !== view().dataset.mark) await refresh();
        if (view().dataset.final === "yes") stop();
      } catch { /* offline: the next question finds out */ }
    }, POLL_MS);
  }

  async function hint() {
    try {
      await fetch(here + "/check", { method: "POST", redirect: "manual", credentials: "omit" });
    } catch { /* offline: the page asks again when it is back */ }
    await refresh();
  }

  async function openApp(link) {
    const label = link.textContent;
    link.setAttribute("aria-disabled", "true");
    link.textContent = link.dataset.opening;
    try {
      const answer = await fetch(here + "/deeplink", { cache: "no-store", credentials: "omit" });
      if (!answer.ok) throw new Error(String(answer.status));
      location.assign((await answer.json()).deeplink);
      link.textContent = label;
      link.removeAttribute("aria-disabled");
    } catch {
      link.textContent = link.dataset.failed;
      setTimeout(() => { link.textContent = label; link.removeAttribute("aria-disabled"); }, FAILED_MS);
    }
  }

  function start() {
    count();
    const open = byId("open"), paid = byId("paid"), print = byId("print");
    if (open) open.addEventListener("click", (event) => {
      event.preventDefault();
      if (!open.hasAttribute("aria-disabled")) openApp(open);
    });
    if (paid) paid.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = byId("have-paid");
      if (button.hasAttribute("aria-disabled")) return;
      const label = button.textContent;
      button.setAttribute("aria-disabled", "true"); // `disabled` would lose the keyboard's place
      button.textContent = button.dataset.asking;
      hint().finally(() => setTimeout(() => {
        if (button.isConnected) { button.removeAttribute("aria-disabled"); button.textContent = label; refresh(); }
      }, 10000));
    });
    if (print) { print.hidden = false; print.addEventListener("click", () => window.print()); }
  }

  function connection() {
    const offline = byId("offline");
    offline.hidden = navigator.onLine;
    offline.textContent = navigator.onLine ? "" : offline.dataset.text;
    if (navigator.onLine) { refresh(); follow(); } else stop();
  }

  // Who comes back to the page has perhaps paid in a bank app. Nobody opens one and pays in less than AWAY_MS, and Bakong
  // seldom shows a transfer in less than SHOWN_MS after that: a look that comes too early is a call for nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { hiddenAt = Date.now(); return; }
    if (view().dataset.final === "yes") return;
    refresh();
    if (view().dataset.ends && Date.now() - hiddenAt > AWAY_MS) {
      setTimeout(() => { if (view().dataset.final !== "yes") hint(); }, SHOWN_MS);
    }
    if (!source && !poll) follow();
  });
  window.addEventListener("online", connection);
  window.addEventListener("offline", connection);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { refresh(); follow(); } });

  start();
  follow();
  if (!navigator.onLine) connection();
})();
