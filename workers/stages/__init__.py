"""One model call each; the heavy imports live here, inside the device process only."""
