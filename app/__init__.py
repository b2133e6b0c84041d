"""The web side: validate, store, commit a row, read rows. It never imports torch or the workers."""
