/** htm bound to preact: the one way in which the pages write their markup. */
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
