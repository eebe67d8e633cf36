// Keeps the page as it is now: the server pushes the element `main` whenever something has changed. Without this script
// the page is read again every ten seconds. Nothing is stored, nothing is asked from anywhere else.
"use strict";

const SILENT_AFTER = 45000; // the server says something every ten seconds
const ANSWER_STAYS = 20000;
const page = document.getElementById("status");
const live = document.getElementById("live");
const clock = document.getElementById("clock");
let heard = Date.now();
let ahead = Date.parse(page.dataset.at) - Date.now(); // the server's clock against ours
let source = null;
let forgetting = 0;

function shown(state, text) {
  if (live.textContent !== text) live.textContent = text;
  live.className = `live ${state}`;
}

function connect() {
  source = new EventSource(`/events?view=${page.dataset.view}`);
  source.addEventListener("open", () => { heard = Date.now(); shown("on", "live"); });
  source.addEventListener("status", (event) => update(event.data));
  source.addEventListener("alive", () => { heard = Date.now(); shown("on", "live"); });
  source.addEventListener("error", () => {
    lost();
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000); // it does not try again by itself
  });
}

function lost() {
  shown("off", `no connection, as of ${page.dataset.at.slice(11, 16)} UTC`);
}

function update(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("status");
  if (!fresh) return; // not from our server
  if (fresh.dataset.version !== page.dataset.version) return location.reload(); // the server was updated
  morph(page, fresh);
  document.title = page.dataset.title;
  heard = Date.now();
  ahead = Date.parse(page.dataset.at) - heard;
  shown("on", "live");
}

// Makes `old` like `fresh` and touches only what differs: what is focused, selected, scrolled or unfolded stays so.
function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.tagName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = place;
    if (wanted.id) found = [...old.childNodes].find((node) => node.id === wanted.id) || null;
    else if (found && found.id) found = null;
    if (found && found.nodeName === wanted.nodeName) {
      if (found !== place) old.insertBefore(found, place);
      if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
      else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
      place = found.nextSibling;
    } else {
      old.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function tick() {
  clock.textContent = new Date(Date.now() + ahead).toISOString().slice(11, 19);
  if (Date.now() - heard > SILENT_AFTER) lost();
}

// The buttons of an operator. They are there only where they can be used.
function answered(text) {
  const answer = document.getElementById("answer"); // seen wherever the button is
  answer.textContent = text;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => { answer.textContent = ""; }, ANSWER_STAYS);
}

async function act(button) {
  const token = document.getElementById("token").value;
  if (!token) {
    answered("Enter the token first.");
    document.getElementById("token").focus();
    return;
  }
  if (button.dataset.ask && !confirm(button.dataset.ask)) return;
  button.disabled = true;
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(button.dataset.post, { method: "POST", headers, cache: "no-store" });
    const told = await response.json();
    answered(told.message || told.error);
  } catch {
    answered("No answer. Look at the page before you try again.");
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post]");
  if (button) act(button);
});
const operator = document.getElementById("operator");
if (operator) operator.hidden = false;
setInterval(tick, 1000);
connect();
