/** Who speaks: labels of the diarizer, the names people gave them, and their colours. */

const COLOURS = 8;

function initialOf(name) {
  const number = /^SPEAKER_0*(\d+)$/.exec(name);
  return number ? number[1] : [...name][0].toLocaleUpperCase();
}

/** Labels in the order of first speech. */
export function listLabels(turns) {
  return [...new Set([...turns].sort((one, other) => one[0] - other[0]).map((turn) => turn[2]))];
}

/** The diarizer's turns [[start, end, label]]; from the words where the task has none. */
export function readTurns(task) {
  if (task.speaker_turns?.length) return task.speaker_turns;
  const turns = [];
  for (const segment of Array.isArray(task.result) ? task.result : []) {
    for (const part of segment.words?.length ? segment.words : [segment]) {
      const label = part.speaker ?? segment.speaker;
      if (!label || part.start == null || part.end == null) continue;
      const last = turns.at(-1);
      if (last?.[2] === label && part.start - last[1] < 0.5) last[1] = part.end;
      else turns.push([part.start, part.end, label]);
    }
  }
  return turns;
}

/** People: [{name, initial, colour, labels}]; labels with one name are one person. */
export function gatherPeople(labels, names) {
  const people = new Map();
  for (const label of labels) {
    const name = names[label] || label;
    if (people.has(name)) people.get(name).labels.push(label);
    else people.set(name, { name, initial: initialOf(name), colour: people.size % COLOURS, labels: [label] });
  }
  return [...people.values()];
}

/** Changes of speaker_names that give these labels one name; the label itself means no name. */
export function nameLabels(labels, name) {
  return Object.fromEntries(labels.map((label) => [label, label === name || !name ? null : name]));
}
