/** A text field in the place of one segment: Enter keeps, Esc leaves. */
import { taskTexts as texts } from "../texts_task.js";
import { tidy } from "./pieces.js";

function makeButton(text, listen) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", listen);
  return button;
}

/**
 * Open the field in `group` (the rows of a segment). `keep(text)` answers whether the text is stored;
 * `leave()` is called once the field is closed. Returns {text, isChanged, showOther, focus, close}.
 */
export function openEditBox(group, text, { keep, leave }) {
  const [first] = group.rows;
  const box = document.createElement("div");
  const field = document.createElement("textarea");
  const other = document.createElement("p");
  box.className = "correct";
  other.className = "other";
  other.hidden = true;
  field.rows = 1;
  field.value = text;
  field.dir = "auto";
  field.setAttribute("aria-label", texts.correctField);
  const before = tidy(text);

  const close = () => {
    if (!box.isConnected) return;
    box.remove();
    group.rows.forEach((row) => row.item.classList.remove("correcting"));
    leave();
  };
  const store = async () => {
    if (field.readOnly) return;
    const typed = tidy(field.value);
    if (typed === before && other.hidden) return close();
    field.readOnly = true;
    const isStored = await keep(typed);
    field.readOnly = false;
    if (isStored) close();
    else field.focus();
  };
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && event.target === field) store();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.append(field, other, makeButton(texts.keep, store), makeButton(texts.leave, close));
  group.rows.forEach((row) => row.item.classList.add("correcting"));
  first.item.append(box);
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
  return {
    text: () => tidy(field.value),
    isChanged: () => tidy(field.value) !== before,
    /** Show what somebody else has written here meanwhile; the next Enter writes over it. */
    showOther(theirs) {
      other.hidden = false;
      other.textContent = texts.theyWrote(theirs);
    },
    focus: () => field.focus(),
    close,
  };
}
