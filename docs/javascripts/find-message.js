// The field on the page of messages: paste a message, and it lists the entries whose words it has.

/** Return the words of an entry's quotes that never change: values are written as … there. */
function readFixedParts(quote) {
  return quote
    .split("…")
    .map((part) => normalize(part))
    .filter((part) => /[a-z]{3}/.test(part));
}

function normalize(text) {
  return text.toLowerCase().replace(/[\s'"`‘’“”]+/g, " ").replace(/^[\s.:,]+|[\s.:,]+$/g, "");
}

/** Return how many characters of the fixed parts a text has, with a bonus where it has all; or how much of the text an entry has. */
function score(parts, text) {
  const found = parts.filter((part) => text.includes(part));
  const length = found.reduce((sum, part) => sum + part.length, 0);
  const isPart = text.length > 7 && parts.some((part) => part.includes(text));
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  return isPart ? text.length + 1 : length + (length === total ? length : 0);
}

function findEntries(text) {
  const wanted = normalize(text);
  return [...document.querySelectorAll(".md-content blockquote p, main blockquote p")]
    .map((quote) => ({ quote, points: score(readFixedParts(quote.textContent), wanted) }))
    .filter(({ points }) => points > 7)
    .sort((a, b) => b.points - a.points)
    .map(({ quote }) => findTitle(quote))
    .filter((title, index, all) => title && all.indexOf(title) === index)
    .slice(0, 3);
}

function findTitle(quote) {
  let place = quote.closest("blockquote");
  while (place && place.tagName !== "H3") place = place.previousElementSibling;
  return place;
}

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("find-message");
  if (!place) return;
  place.innerHTML =
    '<label for="message">Your message</label>' +
    '<textarea id="message" rows="3" style="display: block; width: 100%; padding: 0.5em; font: inherit; color: inherit; ' +
    'background: var(--md-code-bg-color, #f5f5f5); border: 1px solid currentColor"></textarea><ul aria-live="polite"></ul>';
  place.querySelector("textarea").addEventListener("input", (event) => {
    const items = findEntries(event.target.value).map((title) => {
      const item = document.createElement("li");
      const link = item.appendChild(document.createElement("a"));
      link.href = `#${title.id}`;
      link.textContent = title.firstChild.textContent;
      return item;
    });
    if (!items.length && event.target.value.trim()) {
      items.push(document.createElement("li"));
      items[0].textContent = "No entry has these words. Paste the whole message. If it names a trait, see the page Traits.";
    }
    place.querySelector("ul").replaceChildren(...items);
  });
});
