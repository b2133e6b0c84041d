"""What requests may say and what answers look like: marshmallow, one file per blueprint."""
