// Keys, and times in the reader's zone. Pages work without it.
"use strict";

// Times ---------------------------------------------------------------------------------------
const zone = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
const time = new Intl.DateTimeFormat(undefined, zone);
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function showTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.getTime())) continue;
    element.textContent = time.format(then);
    element.title = exact.format(then);
  }
}

// Keys ----------------------------------------------------------------------------------------
// A page says which key does what: `data-key` of a link, button or field, `data-focus` of a field
// that a key leads to, `data-row` of what J and K go through, a link or box in each.
const rows = () => [...document.querySelectorAll("[data-row]")];

function step(by) {
  const all = rows();
  if (!all.length) return;
  const here = all.findIndex((row) => row.contains(document.activeElement));
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, here + by));
  const target = all[next].querySelector("a") || all[next];
  target.focus();
  all[next].scrollIntoView({ block: "nearest" });
}

function toggle() {
  const row = document.activeElement && document.activeElement.closest("[data-row]");
  const box = row && row.querySelector("input[type=checkbox]");
  if (box) box.click();
}

function showKeys() {
  const dialog = document.getElementById("keys");
  if (!dialog) return;
  const told = [["?", "this list"], ["/", "search"]];
  if (rows().length) told.push(["j, k", "next, previous"], ["Enter", "open"]);
  if (document.querySelector("[data-row] input[type=checkbox]")) told.push(["x", "mark"]);
  for (const element of document.querySelectorAll("[data-key]"))
    told.push([element.dataset.key, element.dataset.does || element.textContent.trim()]);
  const list = dialog.querySelector("dl");
  list.replaceChildren(
    ...told.flatMap(([key, does]) => {
      const term = document.createElement("dt");
      const meaning = document.createElement("dd");
      term.textContent = key;
      meaning.textContent = does;
      return [term, meaning];
    }),
  );
  dialog.showModal();
}

function isWriting(element) {
  return element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (isWriting(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const field = document.querySelector(`[data-focus="${CSS.escape(key)}"]`);
  const element = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (field) field.focus();
  else if (element) isWriting(element) ? element.focus() : element.click();
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "x") toggle();
  else if (key === "?") showKeys();
  else return;
  event.preventDefault();
});

// Forms ---------------------------------------------------------------------------------------
// What is sent is sent once: a second press while the first is on its way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of document.querySelectorAll("[data-row] input[type=checkbox]"))
    box.checked = event.target.checked;
});

// Parts of a page -----------------------------------------------------------------------------
// Why there is none is told in its place.
function tellWhy(event, why) {
  const told = document.createElement("p");
  told.className = "wrong";
  told.setAttribute("role", "alert");
  told.textContent = why;
  event.detail.target.replaceChildren(told);
}

document.addEventListener("htmx:responseError", (event) => {
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  const told = page.querySelector("main [role=alert]");
  tellWhy(event, told ? told.textContent : "This was refused.");
});
document.addEventListener("htmx:sendError", (event) => tellWhy(event, "The console does not answer."));

document.addEventListener("htmx:afterSwap", (event) => showTimes(event.detail.target));
showTimes(document);

// On a phone the pages are a line that scrolls: the one that is open is in sight.
document.querySelector("header nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
