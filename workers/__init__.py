"""The heavy side: one supervisor, one device process per GPU or CPU slot. It never imports flask."""
