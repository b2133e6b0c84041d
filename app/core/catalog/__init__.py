"""The models that this server allows, their names on the hubs and their places on disk."""
