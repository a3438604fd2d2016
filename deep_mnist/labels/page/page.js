"use strict";
// One example at a time; every decision is kept at once: by the server that the page came from, else in this browser.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const cards = data.cards;
  const kept = `deep-mnist labels ${data.source} ${data.split}`;
  const actions = ["keep", "relabel", "drop", "unsure"];
  const words = { keep: "kept", drop: "dropped", unsure: "cannot tell" };
  let at = 0;
  let waiting = 0; // decisions on their way to the server
  let last = Promise.resolve(); // one at a time, for the order counts

  const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } };
  const identity = (card) => `${card.image} ${card.given}`;

  if (!data.endpoint) {
    const before = JSON.parse(remembered(kept) || "{}");
    for (const card of cards) card.decision = before[identity(card)] || card.decision;
  }

  const entry = (card) => {
    const { decision, label, by, at: when } = card.decision;
    const made = { image: card.image, index: card.index, split: data.split, given: card.given, decision };
    if (decision === "relabel") made.label = label;
    return { ...made, by, at: when };
  };

  const told = (card) => {
    if (!card.decision) return "not yet";
    const { decision, label, by, at: when } = card.decision;
    const what = decision === "relabel" ? `relabelled ${data.names[label]}` : words[decision];
    return `${what}${by ? ` by ${by}` : ""}, ${when}`;
  };

  const picture = (index, text) => {
    const image = document.createElement("img");
    image.src = data.images[index];
    image.alt = text;
    return image;
  };

  // JSON is YAML.
  const offer = () => {
    const decisions = cards.filter((card) => card.decision).map(entry);
    const text = `${JSON.stringify({ decisions }, null, 1)}\n`;
    find("save").href = `data:application/yaml;charset=utf-8,${encodeURIComponent(text)}`;
    const where = !data.endpoint ? "in this browser" : waiting ? "saving" : "saved";
    find("progress").textContent = `${decisions.length} of ${cards.length} decided, ${where}`;
  };

  const show = (index) => {
    if (!cards.length) return;
    at = Math.max(0, Math.min(cards.length - 1, index));
    const card = cards[at];
    const names = data.names;
    find("now").textContent = `Example ${at + 1} of ${cards.length}`;
    find("large").src = data.images[card.index];
    find("large").alt = `Number ${card.index}, given as ${names[card.given]}`;
    find("which").textContent = `number ${card.index}`;
    find("given").textContent = names[card.given];
    find("of-given").textContent = `probability ${card.of_given}`;
    find("suggested").textContent = names[card.suggested];
    find("of-suggested").textContent = `probability ${card.of_suggested}`;
    find("kind").textContent = card.kind;
    find("decided").textContent = told(card);
    find("other").value = String(card.suggested);
    for (const action of actions) find(action).setAttribute("aria-pressed", String(card.decision?.decision === action));
    find("relabel").disabled = card.suggested === card.given;
    find("neighbours").replaceChildren(...card.neighbours.map((near) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = names[near.label];
      figure.append(picture(near.index, `Number ${near.index}`), caption);
      return figure;
    }));
    [...find("all").children].forEach((button, place) => button.setAttribute("aria-current", String(place === at)));
    offer();
  };

  const keep = (card) => {
    if (!data.endpoint) {
      const all = Object.fromEntries(cards.filter((each) => each.decision).map((each) => [identity(each), each.decision]));
      remember(kept, JSON.stringify(all));
      return;
    }
    const body = JSON.stringify(card.decision ? entry(card) : { image: card.image, given: card.given, decision: null });
    waiting += 1;
    last = last.then(() => send(body));
  };

  const send = async (body) => {
    try {
      const answer = await fetch(data.endpoint, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      find("error").hidden = answer.ok;
      if (!answer.ok) find("error").textContent = `Not saved: ${await answer.text()}`;
    } catch (error) {
      find("error").hidden = false;
      find("error").textContent = `Not saved, the server does not answer: ${error.message}`;
    }
    waiting -= 1;
    offer();
  };

  const mark = (place) => {
    const button = find("all").children[place];
    button.lastChild.textContent = cards[place].decision ? "✓" : "";
  };

  const decide = (decision, label) => {
    const card = cards[at];
    if (decision === "relabel" && label === card.given) return;
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    card.decision = { decision, label: decision === "relabel" ? label : null, by: find("by").value.trim(), at: now };
    keep(card);
    mark(at);
    find("decided").textContent = told(card);
    if (at + 1 < cards.length) show(at + 1); else show(at);
  };

  const takeBack = () => {
    const card = cards[at];
    if (!card.decision) return;
    card.decision = null;
    keep(card);
    mark(at);
    show(at);
  };

  const nextUndecided = () => {
    const order = cards.map((_, place) => (at + 1 + place) % cards.length);
    const place = order.find((each) => !cards[each].decision);
    if (place !== undefined) show(place);
  };

  const keys = {
    k: () => decide("keep"),
    r: () => decide("relabel", cards[at].suggested),
    d: () => decide("drop"),
    u: () => decide("unsure"),
    n: nextUndecided,
    s: () => find("save").click(),
    arrowright: () => show(at + 1),
    arrowleft: () => show(at - 1),
    backspace: takeBack,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !cards.length) return;
    if (event.target.closest("input, select, textarea")) return;
    const key = event.key.toLowerCase();
    if (/^[0-9]$/.test(key) && Number(key) < data.names.length) {
      event.preventDefault();
      decide("relabel", Number(key));
    } else if (keys[key]) {
      event.preventDefault();
      keys[key]();
    }
  });

  find("keep").addEventListener("click", keys.k);
  find("relabel").addEventListener("click", keys.r);
  find("drop").addEventListener("click", keys.d);
  find("unsure").addEventListener("click", keys.u);
  find("relabel-other").addEventListener("click", () => decide("relabel", Number(find("other").value)));
  find("by").value = remembered("deep-mnist by") || data.by || "";
  find("by").addEventListener("change", () => remember("deep-mnist by", find("by").value.trim()));

  find("all").append(...cards.map((card, place) => {
    const button = document.createElement("button");
    const caption = document.createElement("span");
    const tick = document.createElement("span");
    button.type = "button";
    caption.textContent = `${data.names[card.given]} → ${data.names[card.suggested]} `;
    tick.textContent = card.decision ? "✓" : "";
    button.append(picture(card.index, `Number ${card.index}`), caption, tick);
    button.addEventListener("click", () => { show(place); find("now").focus(); });
    return button;
  }));
  find("review").hidden = !cards.length;
  show(0);
})();
