"use strict";
// The board: the whole list when the page opens or comes back, then what has changed. Rows live under their dialog's key.
(() => {
  const board = document.getElementById("board");
  const state = document.getElementById("state");
  const told = document.getElementById("told");
  const total = document.getElementById("total");
  const member = document.getElementById("member");
  const rows = new Map(); // dialog -> { data, node }
  const number = new Intl.NumberFormat("en");
  let ahead = 0; // seconds that the server's clock is ahead of ours
  let source = null;
  let chosen = ""; // dialog of the row that the keys act on

  const NAMES = {
    silent_client: "client is silent", first_response: "waits for a first answer", next_response: "waits for an answer",
    resolution: "not resolved",
  };
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text) node.textContent = text;
    return node;
  };
  const now = () => Date.now() / 1000 + ahead;
  const say = (text, mood) => { state.textContent = text; state.className = mood; };
  const complain = (text) => { told.textContent = text; told.hidden = !text; };

  function span(seconds) {
    const all = Math.max(0, Math.floor(seconds));
    const days = Math.floor(all / 86400), hours = Math.floor(all / 3600) % 24, minutes = Math.floor(all / 60) % 60;
    if (days) return `${days} d ${hours} h`;
    if (hours) return `${hours} h ${minutes} min`;
    return `${minutes}:${String(all % 60).padStart(2, "0")}`;
  }

  function button(kind, label, data) {
    const node = make("button", "", label);
    node.type = "button";
    node.dataset.kind = kind;
    node.addEventListener("click", () => press(kind, data.dialog));
    return node;
  }

  function fact(list, label, text) {
    if (!text) return;
    const line = make("div");
    line.append(make("dt", "", label), make("dd", "", text));
    list.append(line);
  }

  function draw(data) {
    const node = make("li", "");
    node.tabIndex = -1;
    node.id = data.alert || "";
    node.dataset.dialog = data.dialog;
    node.dataset.state = data.state;
    node.dataset.priority = data.priority;
    const head = make("div", "head");
    const who = make(data.url ? "a" : "span", "who", data.who);
    if (data.url) { who.href = data.url; who.target = "_blank"; who.rel = "noopener noreferrer"; }
    const clock = make("time", "clock");
    clock.dataset.since = data.since;
    clock.dataset.due = data.due;
    clock.dataset.until = data.state === "snoozed" ? data.until : 0;
    head.append(who, make("span", "value", data.value), clock);
    const what = make("p", "what");
    const about = NAMES[data.alerted] || (data.waiting === "manager" ? "waits for an answer" : NAMES[data.watch] || data.status);
    what.append(make("span", "pill", about), make("span", "", data.provider));
    if (data.owner) what.append(make("span", "", data.owner));
    if (data.level) what.append(make("span", "", `escalated ${data.level}×`));
    if (data.state === "taken") what.append(make("span", "taken", data.by ? `taken by ${data.by}` : "taken"));
    if (data.state === "snoozed") what.append(make("span", "taken", "snoozed"));
    if (data.note) what.append(make("span", "note", data.note));
    const words = make("div", "words");
    for (const word of data.words) {
      const line = make("p", word.speaker);
      const text = make("bdi", "", word.text);
      line.append(make("b", "", word.speaker + ": "), text);
      words.append(line);
    }
    const facts = make("dl", "");
    fact(facts, "Cart", data.items ? `${data.items} product${data.items === 1 ? "" : "s"}` : "");
    fact(facts, "Orders", data.orders ? `${data.orders}, ${data.spent}` : "");
    fact(facts, "On the site", data.seen ? span(now() - data.seen) + " ago" : "");
    fact(facts, "Tags", data.tags.join(", "));
    const actions = make("div", "actions");
    if (data.state !== "taken") actions.append(button("take", "Take", data));
    actions.append(button("snooze", "Snooze 1 h", data), button("resolve", "Resolve", data));
    if (data.alert) actions.append(button("dismiss", "Not relevant", data));
    const story = make("a", "story-link", "Customer");
    story.href = "/customers/" + encodeURIComponent(data.customer);
    actions.append(story);
    node.append(head, what, words, facts, actions);
    tick(clock);
    return node;
  }

  function tick(clock) {
    const at = now(), due = Number(clock.dataset.due), until = Number(clock.dataset.until);
    let text = span(at - Number(clock.dataset.since)), mood = "";
    if (until > at) { text = "back in " + span(until - at); mood = "quiet"; }
    else if (due > at) { text = "due in " + span(due - at); mood = due - at < 300 ? "soon" : ""; }
    else if (due) { text = span(at - due) + " over"; mood = "late"; }
    if (clock.textContent !== text) clock.textContent = text;
    clock.className = "clock " + mood;
  }
  setInterval(() => { for (const clock of board.getElementsByClassName("clock")) tick(clock); }, 1000);

  function put(data) {
    const old = rows.get(data.dialog);
    const node = draw(data);
    if (old) {
      const focused = old.node.contains(document.activeElement) ? document.activeElement.dataset.kind || "row" : "";
      old.node.replaceWith(node);
      rows.set(data.dialog, { data, node });
      if (focused) (node.querySelector(`button[data-kind="${focused}"]`) || node).focus();
    } else {
      rows.set(data.dialog, { data, node });
    }
    node.classList.toggle("chosen", data.dialog === chosen);
  }

  function arrange(order) {
    const wanted = new Set(order);
    for (const [dialog, { node }] of rows) if (!wanted.has(dialog)) { node.remove(); rows.delete(dialog); }
    let place = board.firstElementChild;
    for (const dialog of order) {
      const found = rows.get(dialog);
      if (!found) continue;
      if (found.node === place) place = place.nextElementSibling;
      else board.insertBefore(found.node, place);
    }
  }

  function people(list) {
    const wanted = member.value;
    member.replaceChildren(new Option("everybody's", ""), ...list.map(([id, name, count]) =>
      new Option(id === "-" ? `nobody's (${count})` : `${name} (${count})`, id)));
    if (wanted && ![...member.options].some((option) => option.value === wanted)) member.append(new Option(wanted, wanted));
    member.value = wanted;
  }

  function change(data) {
    for (const row of data.rows || []) put(row);
    if (data.order) arrange(data.order);
    if (data.members) people(data.members);
    total.textContent = data.total > rows.size ? `${rows.size} of ${number.format(data.total)}` : number.format(data.total);
    if (data.fresh && location.hash) {
      const target = document.getElementById(location.hash.slice(1));
      if (target && target.dataset.dialog) choose(target.dataset.dialog);
    }
  }

  function listen() {
    if (source) source.close();
    source = new EventSource("/api/board/stream?member=" + encodeURIComponent(member.value));
    const on = (name, work) => source.addEventListener(name, (event) => work(JSON.parse(event.data)));
    on("hello", (data) => { ahead = data.now - Date.now() / 1000; });
    on("source", (data) => say(data.connected ? (data.ready ? "live" : "reading") : "waiting for Kafka", data.connected ? "on" : "off"));
    on("board", change);
    source.onerror = () => {
      say("connection lost, trying again", "off");
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // a refusal: perhaps the login has ended
    };
  }

  const id = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  async function press(kind, dialog) {
    const found = rows.get(dialog);
    if (!found || found.node.dataset.busy) return;
    found.node.dataset.busy = "yes";
    complain("");
    for (const node of found.node.querySelectorAll("button")) node.disabled = true;
    let problem = "";
    try {
      const answer = await fetch("/api/board/commands", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": board.dataset.csrf },
        body: JSON.stringify({ kind, dialog, request: id() }),
      });
      if (answer.status === 401) location.reload();
      if (!answer.ok) problem = (await answer.json()).error || `error ${answer.status}`;
    } catch { problem = "the console cannot be reached"; }
    if (problem) complain(`${found.data.who}: ${problem}`);
    const free = () => {
      delete found.node.dataset.busy;
      for (const node of found.node.querySelectorAll("button")) node.disabled = false;
    };
    if (problem) free(); else setTimeout(free, 3000); // the changed row comes long before; if it does not, press again
  }

  function choose(dialog) {
    const before = rows.get(chosen);
    if (before) before.node.classList.remove("chosen");
    chosen = dialog;
    const found = rows.get(dialog);
    if (!found) return;
    found.node.classList.add("chosen");
    found.node.focus({ preventScroll: true });
    found.node.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const order = [...board.children].map((node) => node.dataset.dialog);
    if (!order.length) return;
    const at = order.indexOf(chosen);
    choose(order[at < 0 ? 0 : Math.min(order.length - 1, Math.max(0, at + by))]);
  }

  const KEYS = {
    j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
    t: () => press("take", chosen), s: () => press("snooze", chosen), r: () => press("resolve", chosen),
    n: () => { const found = rows.get(chosen); if (found && found.data.alert) press("dismiss", chosen); },
    o: () => { const found = rows.get(chosen); if (found && found.data.url) window.open(found.data.url, "_blank", "noopener"); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const work = KEYS[event.key];
    if (work) { event.preventDefault(); work(); }
  });
  board.addEventListener("focusin", (event) => {
    const row = event.target.closest("li");
    if (row && row.dataset.dialog !== chosen) {
      const before = rows.get(chosen);
      if (before) before.node.classList.remove("chosen");
      chosen = row.dataset.dialog;
      row.classList.add("chosen");
    }
  });
  member.addEventListener("change", listen);
  listen();
})();
