/** Who speaks when: one row a person, drawn from the diarizer's turns. */
import { html } from "../html.js";
import { taskTexts as texts } from "../texts_task.js";

const HEIGHT = 10;

/** The SVG path of the turns: one rectangle each. */
export function drawTurns(turns) {
  const drawTurn = ([start, end]) => {
    const left = start.toFixed(2);
    return `M${left} 0h${Math.max(0.05, end - start).toFixed(2)}v${HEIGHT}H${left}z`;
  };
  return turns.map(drawTurn).join("");
}

export function Strip({ people, turns, duration, seek }) {
  const click = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * duration);
  };
  return html`<ul class="strip" aria-label=${texts.turns}>
    ${people.map((person) => html`<li key=${person.labels[0]}>
      <span class="strip-name" title=${person.name}>
        <span class="badge" data-colour=${person.colour} aria-hidden="true">${person.initial}</span> ${person.name}</span>
      <svg class="turns" data-colour=${person.colour} viewBox="0 0 ${duration || 1} ${HEIGHT}" preserveAspectRatio="none"
        aria-hidden="true" onClick=${click}>
        <path d=${drawTurns(turns.filter((turn) => person.labels.includes(turn[2])))} /></svg>
    </li>`)}
  </ul>`;
}
