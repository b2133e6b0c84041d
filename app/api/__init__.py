"""The HTTP face: one blueprint a file; a view says what happens, the modules it calls say how."""
