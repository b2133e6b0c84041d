/** The transcript as captions of a recording with a picture. */
import { useEffect } from "preact/hooks";
import { useStore } from "../store.js";
import { taskTexts as texts } from "../texts_task.js";

/** Give the player a track; a new one after each change of names or text. */
export function Captions({ session, address, names }) {
  const { hasPicture } = useStore(session.player.store);
  const { revision } = useStore(session.editing.store);
  useEffect(() => {
    if (!hasPicture) return undefined;
    const track = document.createElement("track");
    Object.assign(track, { kind: "captions", label: texts.captions, src: address });
    session.player.media.append(track);
    return () => track.remove();
  }, [address, hasPicture, names, revision]);
  return null;
}
