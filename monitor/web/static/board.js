// Renews the page as often as it says, part by part: what did not change stays, with focus, scroll and selection. A board that
// cannot renew must say so: standing still, it would look as if all were well. Keys: / j k ?.
const lost = document.getElementById("lost"), said = document.getElementById("said");
const every = 1000 * Number(document.body.dataset.every);
let tag = "", begun = null;

function keyOf(node) { return node.id || node.dataset?.key || ""; }

function same(old, now) { return old.nodeType === now.nodeType && old.nodeName === now.nodeName && keyOf(old) === keyOf(now); }

function morph(old, now) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
    return;
  }
  if (old.dataset.own || old.isEqualNode(now)) return;  // what a script has drawn, or nothing new
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && !(name === "open" && ["DETAILS", "DIALOG"].includes(old.nodeName))) old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (["INPUT", "TEXTAREA", "SELECT"].includes(old.nodeName)) return;  // what somebody is writing is theirs
  const known = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let here = old.firstChild;
  for (const next of [...now.childNodes]) {
    const twin = known.get(keyOf(next));
    if (twin && same(twin, next)) {
      if (twin === here) here = here.nextSibling; else old.insertBefore(twin, here);
      morph(twin, next);
    } else if (here && same(here, next)) {
      const after = here.nextSibling;
      morph(here, next);
      here = after;
    } else {
      old.insertBefore(next, here);
      if (next.dataset?.row !== undefined) next.classList.add("fresh");
    }
  }
  while (here) { const gone = here; here = here.nextSibling; gone.remove(); }
}

function titles() {
  return new Map([...document.querySelectorAll("li[data-row][id]")].map((row) => [row.id, row.querySelector("h3").textContent.trim()]));
}

function tell(before, after) {
  const words = [];
  for (const [id, title] of after) if (!before.has(id)) words.push(`${said.dataset.new} ${title}.`);
  for (const [id, title] of before) if (!after.has(id)) words.push(`${said.dataset.over} ${title}.`);
  if (words.length) said.textContent = words.slice(0, 5).join(" ");
}

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", signal: AbortSignal.timeout(9000) });
    lost.hidden = true;
    begun = null;
    if (answer.status === 304) return;
    tag = answer.headers.get("etag") ?? "";
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const before = titles();
    document.title = fresh.title;
    for (const part of ["header", "main"]) morph(document.querySelector(part), fresh.querySelector(part));
    tell(before, titles());
    document.dispatchEvent(new Event("renewed"));
  } catch {
    begun ??= new Date();
    lost.textContent = `${lost.dataset.words} ${begun.toLocaleTimeString(document.documentElement.lang)}.`;
    lost.hidden = false;
  }
}

function step(by) {
  const links = [...document.querySelectorAll("[data-row]")].map((row) => row.querySelector("a")).filter((a) => a?.checkVisibility());
  const at = links.findIndex((a) => a.closest("[data-row]").contains(document.activeElement));
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)];
  next?.focus();
  next?.closest("[data-row]").scrollIntoView({ block: "nearest" });
}

function help() { document.getElementById("teclas").showModal(); }

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog[open]")) return;
  const act = { j: () => step(1), k: () => step(-1), "?": help, "/": () => document.querySelector(".filter :is(input, select)")?.focus() }[event.key];
  if (act) { event.preventDefault(); act(); }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) { event.preventDefault(); help(); }
});
document.addEventListener("change", (event) => {
  if (event.target.matches(".filter select")) event.target.form.requestSubmit();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && document.body.dataset.renews === "yes") renew(); });
if (document.body.dataset.renews === "yes") setInterval(renew, every);
