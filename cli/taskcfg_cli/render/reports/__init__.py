"""What `validate` found, in the formats that forges and build servers read: one file a format, all pure."""
