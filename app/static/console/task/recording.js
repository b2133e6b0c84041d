/** Where the sound comes from: this tab's own file, the server, its copy for listening, or a file chosen by hand. */

const TOLERANCE = 0.5; // seconds between the length of a chosen file and that of the recording

/** Load `address` into the element; false if the browser cannot play it. */
function load(media, address) {
  return new Promise((resolve) => {
    const settle = (answer) => () => {
      media.removeEventListener("loadedmetadata", succeed);
      media.removeEventListener("error", fail);
      resolve(answer);
    };
    const [succeed, fail] = [settle(true), settle(false)];
    media.addEventListener("loadedmetadata", succeed);
    media.addEventListener("error", fail);
    media.src = address;
  });
}

/** The status of an address; 0 without an answer. A media element does not tell why it failed. */
async function askStatus(address) {
  try {
    return (await fetch(address, { method: "HEAD", cache: "no-store" })).status;
  } catch (error) {
    if (error instanceof TypeError) return 0;
    throw error;
  }
}

function report(player, source) {
  player.store.set((old) => ({ ...old, source }));
}

/** Load the first source that plays; the player's `source` says which, or why there is none. */
export async function openRecording(player, task, { address, file }) {
  report(player, "loading");
  if (file && (await load(player.media, URL.createObjectURL(file)))) return report(player, "file");
  const path = `/task/${task.identifier}/recording`;
  if (!task.files_purged_at) {
    if (await load(player.media, address(path))) return report(player, "server");
    if (task.task_params?.listening_copy === "auto" && (await load(player.media, address(`${path}?copy=true`)))) {
      return report(player, "copy");
    }
  }
  player.media.removeAttribute("src");
  const status = task.files_purged_at ? 410 : await askStatus(address(path));
  return report(player, status === 410 ? "gone" : status === 200 ? "unplayable" : "missing");
}

/** Play a file from this computer, if it is as long as the recording; it is never sent. Returns what was wrong. */
export async function openFile(player, task, file) {
  const before = player.store.get().source;
  player.close();
  const isPlayable = await load(player.media, URL.createObjectURL(file));
  const isOther = isPlayable && task.audio_duration != null
    && Math.abs(player.media.duration - task.audio_duration) > TOLERANCE;
  if (isPlayable && !isOther) {
    report(player, "file");
    return null;
  }
  const length = player.media.duration;
  player.close();
  report(player, before);
  return isPlayable ? { wrong: "length", length } : { wrong: "type" };
}
