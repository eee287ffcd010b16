// Asks for the page anew, as often as it says. A board that cannot must say so: standing still, it would look as if all were well.
const EVERY = 1000 * Number(document.querySelector("main").dataset.every);
const lost = document.getElementById("lost");

async function renew() {
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(9000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    for (const part of ["header", "main"]) {
      const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
      if (old.innerHTML !== now.innerHTML) old.replaceWith(now);
    }
    lost.hidden = true;
  } catch {
    if (!lost.hidden) return;
    lost.textContent = `Sin conexión con Vigía desde las ${new Date().toLocaleTimeString("es-CO")}: lo que se ve no es de ahora.`;
    lost.hidden = false;
  }
}

setInterval(renew, EVERY);
